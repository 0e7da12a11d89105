// CIFAR's binary files. The input: a byte that says which kind, then how many records of which labels, and
// bytes behind the last one: its pixels are zeros, which no check looks at.

#include "engine/data/cifar.hpp"
#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    fuzz::Input input(data, size);
    const Cifar which = static_cast<Cifar>(input.byte() % 3U);
    const unsigned records = input.byte() % 4U;
    std::string content;
    for (unsigned record = 0; record < records; ++record)
        content += input.bytes(which == Cifar::cifar10 ? 1 : 2) + std::string(3072, '\0');
    content += input.rest();
    for (const char* const name :
         {"test_batch.bin", "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
          "data_batch_5.bin", "test.bin", "train.bin"})
        fuzz::write_input(name, content);
    fuzz::accept_errors([&] { static_cast<void>(read_cifar_test_images(which, fuzz::folder())); });
    return fuzz::accept_errors([&] {
        const Dataset read = read_cifar_dataset(which, fuzz::folder());
        check_dataset(read, "the data set");
    });
}
