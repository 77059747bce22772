# find_package(heed): heed::plugin, the headers of which plugins are made.
include("${CMAKE_CURRENT_LIST_DIR}/heedTargets.cmake")
