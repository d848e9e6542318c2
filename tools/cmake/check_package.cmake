# One way to use weft from another project, as CTest runs it: cmake -DCASE=<case> -DBUILD=<build tree> -DSOURCE=<checkout> -DCXX=<compiler>
# -DEXAMPLE=<a program> -P check_package.cmake
#
#   install         installs the build tree, for the cases below
#   flags           find_package(weft), and flags of the user's own
#   pkg_config      no CMake at all
#   subdirectory    add_subdirectory, everything with link-time optimisation and frame pointers
#   fetch_content   FetchContent, everything shared and hidden; installs that, for the case below
#   plugin          a program and its library, which share an installed shared weft
#   mismatch        headers and options that do not fit the library are refused, and the text says why
cmake_minimum_required(VERSION 3.24)
set(scratch ${BUILD}/package_test)
set(prefix ${scratch}/static)
set(shared_prefix ${scratch}/shared)
set(consumers ${SOURCE}/tests/install)

function(must)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# build(<consumer> <option>...): a fresh build of tests/install/<consumer>, in ${scratch}/<consumer>.
function(build consumer)
  set(tree ${scratch}/${consumer})
  file(REMOVE_RECURSE ${tree})
  set(launcher "")
  find_program(ccache ccache)
  if(ccache)
    set(launcher -DCMAKE_CXX_COMPILER_LAUNCHER=${ccache})
  endif()
  must(${CMAKE_COMMAND} -S ${consumers}/${consumer} -B ${tree} -G Ninja -DCMAKE_CXX_COMPILER=${CXX} ${launcher} -DEXAMPLE=${EXAMPLE} ${ARGN})
  must(${CMAKE_COMMAND} --build ${tree})
endfunction()

function(case_install)
  file(REMOVE_RECURSE ${prefix})
  must(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
endfunction()

function(case_flags)
  build(flags -DCMAKE_PREFIX_PATH=${prefix})
  foreach(program plain frame_pointer hidden lto version)
    must(${scratch}/flags/${program})
  endforeach()
endfunction()

# pkg_config(<prefix> <result>): the flags of the weft installed there, by weft.pc.
function(pkg_config prefix result)
  file(GLOB_RECURSE description ${prefix}/weft.pc)
  cmake_path(GET description PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} ${folder})
  must(pkg-config --print-errors --exists "weft >= 0.1")
  execute_process(COMMAND pkg-config --cflags --libs weft OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  set(${result} ${flags} PARENT_SCOPE)
endfunction()

function(case_pkg_config)
  # The installed tree was moved: weft.pc finds itself.
  set(moved ${scratch}/moved)
  file(REMOVE_RECURSE ${moved})
  file(COPY ${prefix}/ DESTINATION ${moved})
  pkg_config(${moved} flags)
  must(${CXX} -std=c++20 ${EXAMPLE} -o ${scratch}/by_pkg_config ${flags})
  must(${scratch}/by_pkg_config)
endfunction()

function(case_subdirectory)
  build(subdirectory -DWEFT=${SOURCE} -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=-flto=auto -fno-omit-frame-pointer")
  must(${scratch}/subdirectory/consumer)
endfunction()

function(case_fetch_content)
  build(fetch_content -DWEFT=${SOURCE} -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_SHARED_LIBS=ON
    -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DCMAKE_VISIBILITY_INLINES_HIDDEN=ON)
  must(${scratch}/fetch_content/consumer)
  file(REMOVE_RECURSE ${shared_prefix})
  must(${CMAKE_COMMAND} --install ${scratch}/fetch_content --prefix ${shared_prefix})
endfunction()

function(case_plugin)
  # Without TBB in reach: a shared weft has it inside its own dependencies.
  build(plugin -DCMAKE_PREFIX_PATH=${shared_prefix} -DCMAKE_DISABLE_FIND_PACKAGE_TBB=ON)
  must(${scratch}/plugin/consumer)
  must(${scratch}/plugin/late_consumer ${scratch}/plugin/libplugin.so)
endfunction()

# expect_refused(<text> <command>...): the command fails and says <text>.
function(expect_refused text)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(result EQUAL 0 OR NOT output MATCHES "${text}")
    message(FATAL_ERROR "expected a failure that says '${text}', got ${result}: ${output}")
  endif()
  message(STATUS "refused, as it should be: ${CMAKE_MATCH_0}")
endfunction()

function(case_mismatch)
  set(tree ${scratch}/mismatch)
  file(REMOVE_RECURSE ${tree})
  file(WRITE ${tree}/program.cpp "#include <weft/weft.hpp>\nint main() { weft::Runtime runtime; }\n")
  set(compile ${CXX} -std=c++20 ${tree}/program.cpp -o ${tree}/program)
  pkg_config(${prefix} static)
  must(${compile} ${static})
  must(${tree}/program)

  # Headers of the next minor version.
  set(header ${prefix}/include/weft/version.hpp)
  file(READ ${header} text)
  string(REGEX REPLACE "VERSION_MINOR [0-9]+" "VERSION_MINOR 999" text "${text}")
  cmake_path(GET header PARENT_PATH headers)
  file(COPY ${headers} DESTINATION ${tree}/other)
  file(WRITE ${tree}/other/weft/version.hpp "${text}")
  expect_refused("these_headers_need_weft_[0-9]+_999_" ${compile} -I${tree}/other ${static})

  expect_refused("these_headers_need_weft_[0-9_]+_built_with_address_sanitizer" ${compile} -fsanitize=address ${static})
  expect_refused("these_headers_need_weft_[0-9_]+_built_with_thread_sanitizer" ${compile} -fsanitize=thread ${static})
  expect_refused("these_headers_need_weft_[a-z0-9_]+_in_debug_mode" ${compile} -D_GLIBCXX_DEBUG ${static})
  expect_refused("these_headers_need_weft_[a-z0-9_]+_to_explore_schedules" ${compile} -DWEFT_EXPLORE ${static})
  expect_refused("needs the strings of C\\+\\+11" ${compile} -D_GLIBCXX_USE_CXX11_ABI=0 ${static})

  # A program that was linked with the other shared library and meets this one: the loader refuses. Of the other there is only what is
  # asked of it.
  pkg_config(${shared_prefix} shared)
  set(folder ${shared_prefix}/lib)
  must(${compile} ${shared} -Wl,-rpath,${folder})
  must(${tree}/program)
  file(READ_SYMLINK ${folder}/libweft_mailbox.so name)
  must(${CXX} -std=c++20 -fPIC -shared -I${tree}/other ${SOURCE}/mailbox/version.cpp -Wl,-soname,${name} -o ${tree}/libother.so)
  must(${compile} -I${tree}/other ${tree}/libother.so ${shared} -Wl,-rpath,${folder} -Wl,--unresolved-symbols=ignore-in-shared-libs)
  expect_refused("these_headers_need_weft_[0-9]+_999_" ${tree}/program)
endfunction()

cmake_language(CALL case_${CASE})
