# One way to use weft from another project, as CTest runs it: cmake -DCASE=<case> -DBUILD=<build tree> -DSOURCE=<checkout> -DCXX=<compiler>
# -DEXAMPLE=<a program> -P check_package.cmake
#
#   install         installs the build tree, for the cases below
#   flags           find_package(weft), and flags of the user's own
#   pkg_config      no CMake at all
#   subdirectory    add_subdirectory, everything with link-time optimisation and frame pointers
#   fetch_content   FetchContent, everything shared and hidden; installs that, for the case below
#   plugin          a program and its library, which share an installed shared weft
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
  foreach(program plain frame_pointer hidden lto)
    must(${scratch}/flags/${program})
  endforeach()
endfunction()

function(case_pkg_config)
  # The installed tree was moved: weft.pc finds itself.
  set(moved ${scratch}/moved)
  file(REMOVE_RECURSE ${moved})
  file(COPY ${prefix}/ DESTINATION ${moved})
  file(GLOB_RECURSE description ${moved}/weft.pc)
  cmake_path(GET description PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} ${folder})
  must(pkg-config --print-errors --exists "weft >= 0.1" "weft < 1")
  execute_process(COMMAND pkg-config --cflags --libs weft OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  must(${CXX} -std=c++20 ${EXAMPLE} -o ${scratch}/by_pkg_config ${flags})
  must(${scratch}/by_pkg_config)
endfunction()

function(case_subdirectory)
  build(subdirectory -DWEFT=${SOURCE} -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=-flto=auto -fno-omit-frame-pointer")
  must(${scratch}/subdirectory/consumer)
endfunction()

function(case_fetch_content)
  build(fetch_content -DWEFT=${SOURCE} -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON
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

cmake_language(CALL case_${CASE})
