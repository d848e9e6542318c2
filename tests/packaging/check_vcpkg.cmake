# Runs the vcpkg port with stand-ins for vcpkg's own functions, then builds a consumer against what it made:
# cmake -DSOURCE=<checkout> -DSCRATCH=<folder> -DCXX=<compiler> -DEXAMPLE=<a program> -P check_vcpkg.cmake
#
# The stand-ins do what vcpkg's functions are documented to do, for the release half alone. vcpkg itself is not run: it fetches its own
# tools and ports. What that leaves unshown is in tools/packaging/NOTES.md.
cmake_minimum_required(VERSION 3.24)
set(port ${SOURCE}/tools/packaging/vcpkg/weft)

function(must)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# --- The manifest: valid, and of this version. ---
file(READ ${port}/vcpkg.json manifest)
string(JSON PORT GET "${manifest}" name)
string(JSON version GET "${manifest}" version)
string(JSON length LENGTH "${manifest}" dependencies)
set(dependencies "")
math(EXPR last "${length} - 1")
foreach(index RANGE ${last})
  string(JSON type TYPE "${manifest}" dependencies ${index})
  if(type STREQUAL "OBJECT")
    string(JSON name GET "${manifest}" dependencies ${index} name)
  else()
    string(JSON name GET "${manifest}" dependencies ${index})
  endif()
  list(APPEND dependencies ${name})
endforeach()
file(STRINGS ${SOURCE}/mailbox/include/weft/version.hpp numbers REGEX "^#define WEFT_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX MATCHALL "[0-9]+" numbers "${numbers}")
string(REPLACE ";" "." numbers "${numbers}")
if(NOT PORT STREQUAL "weft" OR NOT version STREQUAL numbers)
  message(FATAL_ERROR "vcpkg.json describes ${PORT} ${version}; the headers are of weft ${numbers}")
endif()
foreach(needed tbb concurrentqueue vcpkg-cmake vcpkg-cmake-config)
  if(NOT needed IN_LIST dependencies)
    message(FATAL_ERROR "vcpkg.json does not name ${needed}")
  endif()
endforeach()

# --- The port. ---
set(CURRENT_PACKAGES_DIR ${SCRATCH}/packages)
set(tree ${SCRATCH}/build)
file(REMOVE_RECURSE ${SCRATCH})

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  find_program(ccache ccache)
  if(ccache)
    list(APPEND arg_OPTIONS -DCMAKE_CXX_COMPILER_LAUNCHER=${ccache})
  endif()
  must(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${tree} -G Ninja -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_CXX_FLAGS_RELEASE=-O0 -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}
    -DBUILD_SHARED_LIBS=OFF ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
  must(${CMAKE_COMMAND} --build ${tree} --target install)
endfunction()

function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/${arg_PACKAGE_NAME}-config.cmake)
    message(FATAL_ERROR "the port names ${arg_CONFIG_PATH}, where no configuration of ${arg_PACKAGE_NAME} is")
  endif()
  # From lib/cmake/<name> to share/<name>, one folder less deep: the installed file counts folders to find the prefix.
  file(MAKE_DIRECTORY ${CURRENT_PACKAGES_DIR}/share)
  file(RENAME ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} ${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME})
  set(targets ${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME}/weft-targets.cmake)
  file(READ ${targets} text)
  string(REPLACE "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\nif" "if" text "${text}")
  file(WRITE ${targets} "${text}")
endfunction()

function(vcpkg_fixup_pkgconfig)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/lib/pkgconfig/weft.pc)
    message(FATAL_ERROR "no weft.pc was installed")
  endif()
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(READ ${arg_FILE_LIST} text)
  file(WRITE ${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright "${text}")
endfunction()

include(${port}/portfile.cmake)

foreach(file include/weft/weft.hpp lib/libweft_runtime.a share/weft/weft-config.cmake share/weft/copyright share/weft/usage)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${file})
    message(FATAL_ERROR "the port made no ${file}")
  endif()
endforeach()

# --- Its user. ---
must(${CMAKE_COMMAND} -S ${SOURCE}/tests/install -B ${SCRATCH}/consumer -G Ninja -DCMAKE_CXX_COMPILER=${CXX}
  -DCMAKE_PREFIX_PATH=${CURRENT_PACKAGES_DIR} -DEXAMPLE=${EXAMPLE})
must(${CMAKE_COMMAND} --build ${SCRATCH}/consumer)
must(${SCRATCH}/consumer/consumer)
