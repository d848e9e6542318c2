# weft_build: how weft's own code is compiled. Libraries link it privately, inside BUILD_INTERFACE: users inherit none of it.
# weft_sanitizers: the instrumentation alone, for programs that are built the way a user builds them.

add_library(weft_sanitizers INTERFACE)
if(WEFT_SANITIZE)
  string(REPLACE "," ";" sanitizers "${WEFT_SANITIZE}")
  foreach(sanitizer IN LISTS sanitizers)
    if(NOT sanitizer MATCHES "^(address|thread|undefined)$")
      message(FATAL_ERROR "WEFT_SANITIZE: '${sanitizer}' is not address, thread or undefined")
    endif()
  endforeach()
  if("address" IN_LIST sanitizers AND "thread" IN_LIST sanitizers)
    message(FATAL_ERROR "WEFT_SANITIZE: address and thread exclude each other")
  endif()
  if(WEFT_EXPLORE AND "thread" IN_LIST sanitizers)
    message(FATAL_ERROR "WEFT_EXPLORE runs all threads of a program on one: WEFT_SANITIZE=thread would see nothing")
  endif()
  list(JOIN sanitizers "," sanitizers)
  target_compile_options(weft_sanitizers INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(weft_sanitizers INTERFACE -fsanitize=${sanitizers})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC documents that -fsanitize confuses this warning; every other preset still has it.
    target_compile_options(weft_sanitizers INTERFACE -Wno-maybe-uninitialized)
    if(sanitizers MATCHES "thread")
      # GCC warns at each atomic_thread_fence, which its ThreadSanitizer does not model.
      target_compile_options(weft_sanitizers INTERFACE -Wno-tsan)
    endif()
  endif()
endif()
if(WEFT_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "WEFT_FUZZ needs clang++: libFuzzer comes with it")
  endif()
  # Coverage that guides the fuzzer, in the libraries too; the targets link libFuzzer itself.
  target_compile_options(weft_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(weft_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(weft_build INTERFACE)
target_link_libraries(weft_build INTERFACE weft_sanitizers)
target_compile_features(weft_build INTERFACE cxx_std_20)
target_include_directories(weft_build INTERFACE ${PROJECT_SOURCE_DIR})
# -fstack-clash-protection: a large frame on a process's stack touches every page, so it cannot jump over the one guard page.
target_compile_options(weft_build INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -fstack-clash-protection>)
# A user's newer compiler knows warnings that ours does not.
if(WEFT_WARNINGS_AS_ERRORS)
  target_compile_options(weft_build INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
