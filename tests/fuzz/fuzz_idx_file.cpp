// IDX files, plain or gzip: as images, as labels, and as the test half of a data set: the input's first byte
// says how many bytes of it are the file of labels.

#include "engine/data/idx.hpp"
#include "harness.hpp"

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    const std::string labels("\0\0\x08\1\0\0\0\2\3\7", 10);
    const std::string images("\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\2abcd", 20);
    const std::string wide("\0\0\x0c\1\0\0\0\2\0\0\0\3\0\0\0\7", 16);
    return {static_cast<char>(labels.size()) + labels + images,
            static_cast<char>(wide.size()) + wide + images};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    fuzz::Input input(data, size);
    const std::string labels = input.bytes(input.byte());
    const std::string images = input.rest();
    const std::filesystem::path label_file = fuzz::write_input("t10k-labels-idx1-ubyte", labels);
    const std::filesystem::path image_file = fuzz::write_input("t10k-images-idx3-ubyte", images);
    fuzz::accept_errors([&] { static_cast<void>(read_idx(image_file)); });
    fuzz::accept_errors([&] { static_cast<void>(read_idx_labels(label_file)); });
    return fuzz::accept_errors([] {
        const ImageSet set = read_idx_test_images(fuzz::folder());
        check_images(set, class_count(set), "the test images");
        static_cast<void>(measure_normalisation(set));
    });
}
