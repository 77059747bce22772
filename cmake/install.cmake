# What `cmake --install` brings: the program, the tables that test devices, the headers of plugins, an example to copy, and the package for find_package.
include(CMakePackageConfigHelpers)

add_library(heed_plugin_kit INTERFACE)
set_target_properties(heed_plugin_kit PROPERTIES EXPORT_NAME plugin)
target_compile_features(heed_plugin_kit INTERFACE cxx_std_20)
target_include_directories(heed_plugin_kit INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(heed_plugin_kit INTERFACE
  "$<INSTALL_INTERFACE:LINKER:--version-script=$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/cmake/heed/plugin.map>")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heed)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS heed RUNTIME)
install(TARGETS heed_cases LIBRARY DESTINATION ${HEED_CASES_FOLDER})
install(TARGETS heed_plugin_kit EXPORT heedTargets)
install(EXPORT heedTargets NAMESPACE heed:: DESTINATION ${package_folder})
install(FILES cmake/heedConfig.cmake cmake/plugin.map ${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake DESTINATION ${package_folder})
foreach(header data_type.hpp dim.hpp expression.hpp numeric.hpp plugin.h plugin.hpp result.hpp version.hpp)
  install(FILES runtime/include/heed/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)
endforeach()
install(DIRECTORY plugins/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/heed)
