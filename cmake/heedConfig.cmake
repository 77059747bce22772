# find_package(heed): heed::heed, the library of heed.h and heed.hpp, and heed::plugin, the headers of which plugins are made.
include("${CMAKE_CURRENT_LIST_DIR}/heedTargets.cmake")
