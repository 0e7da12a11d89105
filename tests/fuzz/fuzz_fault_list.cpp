// Fault lists of a network of two layers.

#include "harness.hpp"
#include "jobs/campaign/fault_list.hpp"

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    return {"fault,layer,parameter,mask\n0,conv1,3,0x40000000\n0,fc,1,1\n\n# more\n7,fc,0,255\r\n"};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    std::vector<InjectableLayer> layers(2);
    layers[0].id = LayerId(0);
    layers[0].name = "conv1";
    layers[0].weights = 8;
    layers[0].word_bits = 32;
    layers[1].id = LayerId(1);
    layers[1].name = "fc";
    layers[1].weights = 2;
    layers[1].word_bits = 8;
    fuzz::Input input(data, size);
    const std::filesystem::path file = fuzz::write_input("faults.csv", input.rest());
    return fuzz::accept_errors([&] {
        const std::vector<ListedFault> faults = read_fault_list(file, layers);
        static_cast<void>(first_sites(faults, layers.size()));
    });
}
