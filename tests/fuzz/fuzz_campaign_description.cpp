// OUT/campaign.toml, as `flipstorm status` reads it; what is accepted is the same when it is written and read
// again.

#include "harness.hpp"
#include "jobs/campaign/campaign_description.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        const CampaignDescription read = parse_description(fuzz::text_of(data, size), "campaign.toml");
        const std::string written = describe_campaign(read);
        fuzz::expect(describe_campaign(parse_description(written, "written")) == written,
                     "the description to be the same");
    });
}
