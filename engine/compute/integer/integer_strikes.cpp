// Transient faults in networks of whole numbers, image by image.

#include <algorithm>

#include "engine/base/parallel.hpp"
#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/integer/integer_pool.hpp"
#include "engine/compute/strike_backend.hpp"

namespace flipstorm
{
namespace
{

template<class Word>
class IntegerStrikes : public StrikeBackend
{
  public:
    IntegerStrikes(const Network& network, const ImageSet& images, IntegerNetwork lowered, bool follow_all)
        : network_(network),
          images_(images),
          model_(std::move(lowered)),
          pool_(model_),
          follow_all_(follow_all)
    {}

    [[nodiscard]] std::size_t batch() const override { return 64; }
    [[nodiscard]] std::uint64_t memory() const override { return IntegerImage<Word>::bytes(model_); }

    [[nodiscard]] std::vector<float> golden_logits(int threads) const override
    {
        return integer_logits(network_, images_, 0, images_.size(), threads);
    }

    void follow(const LayerSuffix& layer, const StruckPair* pairs, std::size_t count,
                const std::vector<float>& /*golden*/, StrikePolicy& policy) const override
    {
        std::vector<NodeId> nodes = layer.near_nodes;
        nodes.insert(nodes.end(), layer.far_nodes.begin(), layer.far_nodes.end());
        const StoredActivation& stored = network_.activations[index(layer.layer)];
        const ValueForm& form = model_.place(layer.layer).form;
        auto image = pool_.take();
        std::vector<float> pixels(static_cast<std::size_t>(elements(network_.graph.input_shape())));
        std::vector<IntegerAt> places;
        std::vector<std::int32_t> golden;
        std::int64_t loaded = -1;
        for (std::size_t p = 0; p < count; ++p)
        {
            if (pairs[p].image != loaded)
            {
                loaded = pairs[p].image;
                normalise(images_, {loaded}, network_.normalisation, pixels.data());
                image->load(pixels.data());
                read_golden(*image, layer.layer, form, places, golden);
            }
            std::vector<std::int32_t> struck = golden;
            pairs[p].disturbance->apply(stored, struck.data());
            std::vector<IntegerAt> at;
            std::vector<std::int32_t> codes;
            for (std::size_t i = 0; i < struck.size(); ++i)
            {
                if (struck[i] == golden[i]) continue;
                at.push_back(places[i]);
                codes.push_back(struck[i]);
            }
            const float* const logits = follow_all_ ? image->replace_value(layer.layer, nodes, at, codes)
                                                    : image->follow_value(layer.layer, nodes, at, codes);
            if (logits == nullptr)
                policy.masked(p, follow_all_);
            else
                policy.at_logits(p, logits);
        }
        pool_.give_back(std::move(image));
    }

  private:
    /// The golden codes of a value, row-major, and where they are.
    static void read_golden(const IntegerImage<Word>& image, NodeId id, const ValueForm& form,
                            std::vector<IntegerAt>& places, std::vector<std::int32_t>& codes)
    {
        places.clear();
        codes.clear();
        for (std::int64_t c = 0; c < form.channels; ++c)
        {
            for (std::int64_t y = 0; y < form.height; ++y)
            {
                for (std::int64_t x = 0; x < form.width; ++x)
                {
                    places.push_back({static_cast<std::uint16_t>(y), static_cast<std::uint16_t>(x),
                                      static_cast<std::uint32_t>(c)});
                    codes.push_back(image.golden_code(id, places.back()));
                }
            }
        }
    }

    const Network& network_;
    const ImageSet& images_;
    IntegerModel<Word> model_;
    mutable IntegerPool<Word> pool_;
    bool follow_all_;
};

}  // namespace

std::unique_ptr<StrikeBackend> make_integer_strikes(const Network& network, const ImageSet& images,
                                                    bool follow_all)
{
    IntegerNetwork lowered = integer_network(network);
    return with_word(lowered.word_bits, [&](auto word) -> std::unique_ptr<StrikeBackend> {
        return std::make_unique<IntegerStrikes<decltype(word)>>(network, images, std::move(lowered),
                                                                follow_all);
    });
}

}  // namespace flipstorm
