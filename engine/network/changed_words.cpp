#include "engine/network/changed_words.hpp"

namespace flipstorm
{

Network with_words(Network network, const std::vector<InjectableLayer>& tensors,
                   const std::vector<ChangedWord>& changed)
{
    for (const ChangedWord& word : changed)
        set_struck_word(network, tensors.at(static_cast<std::size_t>(word.tensor.value())), word.element,
                        word.word);
    return network;
}

}  // namespace flipstorm
