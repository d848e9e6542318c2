# weft_library(<folder> [PUBLIC <target>...] [PRIVATE <target>...])
#
# The target weft_<folder>, alias weft::<folder>, of the current folder: a library of its .cpp files, static unless BUILD_SHARED_LIBS is
# on, whose public headers are include/weft/*.hpp. A folder without a .cpp gives an interface target, so that headers can come before
# their sources.
# PUBLIC: libraries that its public headers need. PRIVATE: libraries that only its sources need.
function(weft_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PUBLIC;PRIVATE")
  set(name weft_${folder})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  file(GLOB public_headers CONFIGURE_DEPENDS include/weft/*.hpp)

  if(sources)
    add_library(${name} ${sources})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:weft_build> ${arg_PRIVATE})
    get_target_property(type ${name} TYPE)
    if(type STREQUAL "SHARED_LIBRARY")
      weft_shared(${name})
    endif()
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(weft::${folder} ALIAS ${name})

  set_target_properties(${name} PROPERTIES EXPORT_NAME ${folder} VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${name} ${scope} cxx_std_20)
  if(WEFT_EXPLORE)
    target_compile_definitions(${name} ${scope} WEFT_EXPLORE)  # Users' code agrees.
  endif()
  target_sources(${name} ${scope} FILE_SET public_headers TYPE HEADERS BASE_DIRS include FILES ${public_headers})
  target_link_libraries(${name} ${scope} ${arg_PUBLIC})

  if(WEFT_VERIFY_HEADERS AND public_headers)
    # CMake makes this target after all lists are read, and leaves it out of `all`; a dependency may name it before.
    add_dependencies(weft_headers_check ${name}_verify_interface_header_sets)
  endif()
endfunction()

# What a library needs besides to be shared.
function(weft_shared name)
  # The folders call each other's internals, so everything is visible, also in a program that hides its own symbols. 0.x versions are
  # compatible within a minor one.
  set_target_properties(${name} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    CXX_VISIBILITY_PRESET default VISIBILITY_INLINES_HIDDEN OFF
    INSTALL_RPATH $ORIGIN)  # the four find each other wherever they are put
  # initial-exec: the few bytes per thread are found without a call, as in a program; the loader keeps room for libraries that are
  # opened late. Calls within the library are direct: nobody may replace weft's functions.
  target_compile_options(${name} PRIVATE -ftls-model=initial-exec $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
  # The terminate handler stays installed, so the code stays mapped.
  target_link_options(${name} PRIVATE LINKER:-z,nodelete)
endfunction()
