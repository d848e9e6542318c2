# What is installed: find_package(weft) gives weft::weft and the target of each folder; pkg-config knows weft.
include(CMakePackageConfigHelpers)
set(weft_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(TARGETS weft weft_mailbox weft_scheduler weft_registry weft_runtime EXPORT weft_targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET public_headers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT weft_targets NAMESPACE weft:: FILE weft-targets.cmake DESTINATION ${weft_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weft-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/weft-config.cmake.in ${PROJECT_BINARY_DIR}/weft-config.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake ${PROJECT_BINARY_DIR}/weft-config-version.cmake DESTINATION ${weft_package_dir})

# Paths in weft.pc are relative to the file, so that an installed tree can be moved.
set(weft_pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(ABSOLUTE_PATH weft_pkgconfig_dir BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE weft_pkgconfig_at)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${weft_pkgconfig_at} OUTPUT_VARIABLE weft_prefix_from_pkgconfig)
# A program that links a static weft links what that needs too; with a shared one the loader sees to it.
if(BUILD_SHARED_LIBS)
  set(weft_pc_requires Requires.private)
  set(weft_pc_needs "")
else()
  set(weft_pc_requires Requires)
  set(weft_pc_needs "-pthread -l${CMAKE_DL_LIBS}")
  get_target_property(weft_runtime_needs weft_runtime LINK_LIBRARIES)
  if(backtrace IN_LIST weft_runtime_needs)
    string(APPEND weft_pc_needs " -lbacktrace")
  endif()
endif()
if(WEFT_EXPLORE)
  set(weft_pc_defines " -DWEFT_EXPLORE")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${weft_pkgconfig_dir})
