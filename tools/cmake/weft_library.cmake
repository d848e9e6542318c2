# weft_library(<folder> [PUBLIC <target>...] [PRIVATE <target>...])
#
# The target weft_<folder>, alias weft::<folder>, of the current folder: a static library of its .cpp files whose public headers are
# include/weft/*.hpp. A folder without a .cpp gives an interface target, so that headers can come before their sources.
# PUBLIC: libraries that its public headers need. PRIVATE: libraries that only its sources need.
function(weft_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PUBLIC;PRIVATE")
  set(name weft_${folder})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  file(GLOB public_headers CONFIGURE_DEPENDS include/weft/*.hpp)

  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:weft_build> ${arg_PRIVATE})
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(weft::${folder} ALIAS ${name})

  set_target_properties(${name} PROPERTIES EXPORT_NAME ${folder} VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${name} ${scope} cxx_std_20)
  target_sources(${name} ${scope} FILE_SET public_headers TYPE HEADERS BASE_DIRS include FILES ${public_headers})
  target_link_libraries(${name} ${scope} ${arg_PUBLIC})

  if(WEFT_VERIFY_HEADERS AND public_headers)
    # CMake makes this target after all lists are read, and leaves it out of `all`; a dependency may name it before.
    add_dependencies(weft_headers_check ${name}_verify_interface_header_sets)
  endif()
endfunction()
