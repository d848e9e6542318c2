# The guide's C++, built the way a user builds it: guide_fragments, one source a page, and a program guide_<page>_<n> for each block with
# a main(), run by CTest. tools/guide_pages.py has the convention.
file(GLOB guide_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/guide/*.md)
if(NOT WEFT_PYTHON OR NOT guide_pages)
  message(STATUS "The guide is not tested: there is no python3")
  return()
endif()
if(WEFT_EXPLORE)
  set(guide_pages ${PROJECT_SOURCE_DIR}/docs/guide/exploring.md)  # The other pages are other presets' business.
endif()
list(PREPEND guide_pages ${PROJECT_SOURCE_DIR}/docs/guide.md)
file(GLOB_RECURSE guide_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/*/include/weft/*.hpp)
list(JOIN guide_headers "," guide_headers_list)
set(guide_tools ${PROJECT_SOURCE_DIR}/tools/guide_pages.py ${PROJECT_SOURCE_DIR}/tools/guide_sources.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${guide_pages} ${guide_tools} ${guide_headers})

set(guide_out ${PROJECT_BINARY_DIR}/guide)
execute_process(COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 ${WEFT_PYTHON} ${PROJECT_SOURCE_DIR}/tools/guide_sources.py
  ${guide_headers_list} ${guide_out} ${guide_pages} RESULT_VARIABLE guide_result ERROR_VARIABLE guide_error)
if(NOT guide_result EQUAL 0)
  message(FATAL_ERROR "${guide_error}")
endif()
include(${guide_out}/guide.cmake)

add_test(NAME guide/pages COMMAND ${WEFT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/guide/guide_pages_test.py)
set_tests_properties(guide/pages PROPERTIES TIMEOUT 60 LABELS "guide;once" ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)

function(guide_compiled_as_users_do target)
  target_link_libraries(${target} PRIVATE weft::weft weft_sanitizers)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror)
endfunction()

add_library(guide_fragments OBJECT ${guide_fragments})
guide_compiled_as_users_do(guide_fragments)
if(WEFT_SANITIZE)
  set_target_properties(guide_fragments PROPERTIES EXCLUDE_FROM_ALL ON)  # It is not run.
endif()
# What a fragment computes it may leave to the reader to use.
target_compile_options(guide_fragments PRIVATE -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-lambda-capture)

foreach(source expected IN ZIP_LISTS guide_programs guide_expected)
  get_filename_component(name ${source} NAME_WE)
  add_executable(guide_${name} ${source})
  guide_compiled_as_users_do(guide_${name})
  if(name IN_LIST guide_explored AND NOT WEFT_EXPLORE)
    continue()  # It compiles, and says what it needs.
  endif()
  if(expected STREQUAL "-")
    set(expected "")
  endif()
  add_test(NAME guide/${name} COMMAND ${WEFT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/guide/run_program.py $<TARGET_FILE:guide_${name}> ${expected})
  set_tests_properties(guide/${name} PROPERTIES TIMEOUT 120 LABELS guide ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()

# What must not compile, and for the reason that the page gives. A compiler that accepts the source prints nothing.
foreach(source word IN ZIP_LISTS guide_refused guide_refused_words)
  get_filename_component(name ${source} NAME_WE)
  add_test(NAME guide/refused_${name} COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only
    "-I$<JOIN:$<TARGET_PROPERTY:guide_fragments,INCLUDE_DIRECTORIES>,;-I>" ${source} COMMAND_EXPAND_LISTS)
  set_tests_properties(guide/refused_${name} PROPERTIES TIMEOUT 120 LABELS "guide;once" PASS_REGULAR_EXPRESSION "error:.*${word}")
endforeach()

# Programs of several blocks: a page's walk starts and stops them.
foreach(source IN LISTS guide_servers)
  get_filename_component(name ${source} NAME_WE)
  add_executable(guide_${name} ${source})
  guide_compiled_as_users_do(guide_${name})
  set(walk ${WEFT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/guide/walk.py --page ${PROJECT_SOURCE_DIR}/docs/guide/${name}.md)
  add_test(NAME guide/${name} COMMAND ${walk} --program $<TARGET_FILE:guide_${name}>)
  set_tests_properties(guide/${name} PROPERTIES TIMEOUT 120 LABELS guide ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
  if(NOT WEFT_SANITIZE)
    add_test(NAME guide/walk_${name} COMMAND ${walk} --install ${PROJECT_BINARY_DIR} --cxx ${CMAKE_CXX_COMPILER})
    set_tests_properties(guide/walk_${name} PROPERTIES TIMEOUT 600 LABELS "guide;once" ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
  endif()
endforeach()
