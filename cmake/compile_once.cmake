# What makes builds quick: headers that nearly every file of a room reads are precompiled, and ccache keeps what was
# compiled before, in this checkout or another. Headers are named by <...>, so that no path of a checkout gets into them.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache's manual: "Precompiled headers", "Compiling in different directories".
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  # False alarms over std::string of gcc 12 (its bugs 105329 and 105651), which only system headers outside of
  # precompiled ones keep quiet.
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>  $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>
      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow> $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overread>)
  endif()
endif()
