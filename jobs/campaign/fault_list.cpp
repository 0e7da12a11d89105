#include "jobs/campaign/fault_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "jobs/job_file/job_suggest.hpp"

namespace flipstorm
{
namespace
{

constexpr std::string_view kHeader = "fault,layer,parameter,mask";

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view kBlank = " \t\r";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> cells_of(std::string_view line)
{
    std::vector<std::string_view> cells;
    for (;;)
    {
        const std::size_t comma = line.find(',');
        cells.push_back(trimmed(line.substr(0, comma)));
        if (comma == std::string_view::npos) return cells;
        line.remove_prefix(comma + 1);
    }
}

/// A whole number, decimal or 0x…; nothing if the text is none.
std::optional<std::uint64_t> number_of(std::string_view text)
{
    const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hex) text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

/// Reads one file.
class Reader
{
  public:
    Reader(const std::filesystem::path& file, const std::vector<InjectableLayer>& layers)
        : file_(file), layers_(layers)
    {}

    [[nodiscard]] std::vector<ListedFault> read()
    {
        const std::string content = read_file(file_);
        std::string_view rest = content;
        bool has_header = false;
        while (!rest.empty())
        {
            const std::size_t end = rest.find('\n');
            const std::string_view line = trimmed(rest.substr(0, end));
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            ++line_;
            if (line.empty() || line.front() == '#') continue;
            if (!has_header)
            {
                expect(line == kHeader, fmt::format("the header is '{}'; '{}' would be right",
                                                    printable(std::string(line.substr(0, 200))), kHeader));
                has_header = true;
                continue;
            }
            add(cells_of(line));
        }
        FS_CHECK(DataError, !faults_.empty(),
                 "'{}' lists no fault; a header '{}' and a row for each site are needed", file_.string(),
                 kHeader);
        std::stable_sort(faults_.begin(), faults_.end(), [](const ListedFault& a, const ListedFault& b) {
            return a.sites.front().layer.value() < b.sites.front().layer.value();
        });
        return std::move(faults_);
    }

  private:
    void expect(bool holds, const std::string& what) const
    {
        FS_CHECK(DataError, holds, "'{}', line {}: {}", file_.string(), line_, what);
    }

    std::uint64_t number(std::string_view text, const char* what) const
    {
        const auto value = number_of(text);
        expect(value.has_value(), fmt::format("{} is '{}', which is no whole number", what,
                                              printable(std::string(text.substr(0, 80)))));
        return *value;
    }

    void add(const std::vector<std::string_view>& cells)
    {
        expect(cells.size() == 4, fmt::format("{} columns; four are expected: {}", cells.size(), kHeader));
        const std::uint64_t id = number(cells[0], "fault");
        const auto layer =
            std::find_if(layers_.begin(), layers_.end(),
                         [&](const InjectableLayer& candidate) { return candidate.name == cells[1]; });
        if (layer == layers_.end())
        {
            std::vector<std::string> names;
            for (const InjectableLayer& candidate : layers_)
                names.push_back(candidate.name);
            const std::string name(cells[1].substr(0, 200));
            const auto meant = nearest(name, names);
            expect(false, fmt::format("there is no layer '{}' to strike{}", printable(name),
                                      meant ? fmt::format("; did you mean '{}'?", *meant) : std::string()));
        }
        const std::uint64_t parameter = number(cells[2], "parameter");
        expect(parameter < layer->weights, fmt::format("parameter {} of layer '{}', which has {}", parameter,
                                                       layer->name, layer->weights));
        const std::uint64_t mask = number(cells[3], "mask");
        expect(mask != 0 && mask >> static_cast<unsigned>(layer->word_bits) == 0,
               fmt::format("mask {:#x} of words of {} bits; at least one of their bits must flip", mask,
                           layer->word_bits));
        const auto [known, is_new] = place_.try_emplace(id, faults_.size());
        if (is_new) faults_.push_back({id, {}});
        std::vector<ListedSite>& sites = faults_[known->second].sites;
        const bool twice = std::any_of(sites.begin(), sites.end(), [&](const ListedSite& site) {
            return site.layer == layer->id && site.parameter == parameter;
        });
        expect(!twice,
               fmt::format("fault {} strikes parameter {} of '{}' twice; put all its bits into one mask", id,
                           parameter, layer->name));
        sites.push_back({layer->id, parameter, static_cast<std::uint32_t>(mask)});
    }

    const std::filesystem::path& file_;
    const std::vector<InjectableLayer>& layers_;
    std::size_t line_ = 0;
    std::vector<ListedFault> faults_;
    std::map<std::uint64_t, std::size_t> place_;
};

}  // namespace

std::vector<ListedFault> read_fault_list(const std::filesystem::path& file,
                                         const std::vector<InjectableLayer>& layers)
{
    return Reader(file, layers).read();
}

std::vector<std::vector<PlacedFault>> first_sites(const std::vector<ListedFault>& faults, std::size_t layers)
{
    std::vector<std::vector<PlacedFault>> sites(layers);
    for (const ListedFault& fault : faults)
    {
        const ListedSite& site = fault.sites.front();
        sites.at(static_cast<std::size_t>(site.layer.value()))
            .push_back({site.parameter, {site.mask, BitEffect::flipped}});
    }
    return sites;
}

void write_fault_list(const std::filesystem::path& campaign, const std::filesystem::path& list)
{
    const CampaignRecord record = read_campaign(campaign);
    const FaultTable& faults = record.faults;
    FS_CHECK(DataError,
             std::all_of(faults.effect.begin(), faults.effect.end(), [](std::uint8_t e) { return e == 0; }),
             "'{}' has bits that are stuck; a fault list has bits that flip", campaign.string());
    std::string text = std::string(kHeader) + "\n";
    const auto add = [&](std::uint64_t id, std::int32_t layer, std::uint64_t parameter, std::uint32_t mask) {
        text += fmt::format("{},{},{},{:#x}\n", id,
                            record.header.layers.name.at(static_cast<std::size_t>(layer)), parameter, mask);
    };
    const SiteTable& sites = record.header.sites;
    for (std::size_t i = 0; i < sites.size(); ++i)
        add(sites.fault[i], sites.layer[i], sites.parameter[i], sites.mask[i]);
    for (std::size_t row = 0; sites.size() == 0 && row < faults.size(); ++row)
        add(row, faults.layer[row], faults.parameter[row], faults.mask[row]);
    write_file_durably(list, text);
}

}  // namespace flipstorm
