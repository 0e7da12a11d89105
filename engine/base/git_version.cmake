# Writes OUTPUT, a source file that knows the version and the commit; untouched when nothing changed.
set(sha unknown)
execute_process(COMMAND git -C ${SOURCE_DIR} describe --always --dirty --abbrev=40 --exclude=*
                OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(NOT failed AND described)
  set(sha ${described})
endif()
set(text "#include \"engine/base/version.hpp\"

namespace flipstorm
{

const char* software_version()
{
    return \"${VERSION}\";
}

const char* git_sha1()
{
    return \"${sha}\";
}

}  // namespace flipstorm
")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
