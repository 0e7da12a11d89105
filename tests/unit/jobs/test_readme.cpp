#include <gtest/gtest.h>

#include "engine/base/durable_file.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{
namespace
{

// jobs/README.md documents the keys of a job file with the table that the code has. After a change of
// job_keys.cpp, put what this test prints between the markers.
TEST(Readme, DocumentsTheKeysOfAJobFile)
{
    EXPECT_NE(read_file(FLIPSTORM_README).find(document_keys()), std::string::npos) << document_keys();
}

}  // namespace
}  // namespace flipstorm
