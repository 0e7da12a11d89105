// OUT/last_error.txt: a file that lies there already, and messages of any bytes. The first byte says how many
// bytes are the file's.

#include "engine/base/durable_file.hpp"
#include "engine/base/printable_text.hpp"
#include "harness.hpp"
#include "jobs/stages/last_error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        fuzz::Input input(data, size);
        const std::filesystem::path file = fuzz::write_input(kLastErrorFile, input.bytes(input.byte()));
        LastError error;
        error.time = "2023-04-17T09:30:00Z";
        error.start = "1234567890abcdef";
        error.host = "node1";
        error.command = input.bytes(input.byte());
        error.message = input.rest();
        const std::string text = to_text(error);
        fuzz::expect(printable(text, TextLines::many) == text, "a text that can be printed");
        leave_last_error(fuzz::folder(), error);
        fuzz::expect(read_file(file) == text, "the last error to be left");
        error.echo = true;
        error.message = "an echo";
        leave_last_error(fuzz::folder(), error);
        fuzz::expect(read_file(file) == text, "an echo to change nothing");
    });
}
