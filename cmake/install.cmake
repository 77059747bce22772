# What `cmake --install` brings, in three components: the libraries (runtime), what programs and plugins are built
# against (development), and the program heed with the tables that test devices (program).
include(CMakePackageConfigHelpers)

add_library(heed_plugin_kit INTERFACE)
set_target_properties(heed_plugin_kit PROPERTIES EXPORT_NAME plugin)
target_compile_features(heed_plugin_kit INTERFACE cxx_std_20)
target_include_directories(heed_plugin_kit INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(heed_plugin_kit INTERFACE
  "$<INSTALL_INTERFACE:LINKER:--version-script=$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/cmake/heed/plugin.map>")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heed)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH HEED_PREFIX_OF_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/heed.pc.in heed.pc @ONLY)

set(development COMPONENT development)
install(TARGETS heed_library EXPORT heedTargets LIBRARY COMPONENT runtime NAMELINK_COMPONENT development)
install(TARGETS heed_shared EXPORT heedTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/heed COMPONENT runtime)
install(TARGETS heed RUNTIME COMPONENT program)
install(TARGETS heed_cases LIBRARY DESTINATION ${HEED_CASES_FOLDER} COMPONENT program)
install(TARGETS heed_plugin_kit EXPORT heedTargets)
install(EXPORT heedTargets NAMESPACE heed:: DESTINATION ${package_folder} ${development})
install(FILES cmake/heedConfig.cmake cmake/plugin.map ${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake
  DESTINATION ${package_folder} ${development})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heed.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${development})
foreach(header data_type.hpp dim.hpp expression.hpp heed.h heed.hpp numeric.hpp plugin.h plugin.hpp result.hpp version.hpp)
  install(FILES runtime/include/heed/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed ${development})
endforeach()
install(DIRECTORY plugins/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/heed ${development})
install(DIRECTORY tools/examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/heed/examples/embedding ${development})

include(cmake/package.cmake)
