// The program flipstorm-analysis: the commands that need no LibTorch, on what flipstorm found.

#include "jobs/program.hpp"
#include "jobs/stages/process_start.hpp"

int main(int argc, char** argv)
{
    const flipstorm::Program program{"flipstorm-analysis",
                                     "flipstorm-analysis: predict, protect and report, from the files of a "
                                     "campaign. Training and injection are commands of flipstorm.",
                                     flipstorm::analysis_commands()};
    return flipstorm::finish_output(flipstorm::run_program(program, argc, argv));
}
