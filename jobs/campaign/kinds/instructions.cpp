#include "jobs/campaign/kinds/instructions.hpp"

#include <fmt/format.h>

#include "engine/evaluate/results_revision.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"

namespace flipstorm
{

TransientRules InstructionKind::rules(const TransientTable& table) const
{
    return InstructionRules{instruction_model_from(table.instruction), error_value(table)};
}

std::string InstructionKind::describe_rules(const TransientTable& table) const
{
    switch (instruction_model_from(table.instruction))
    {
        case InstructionModel::bit_flip:
            return "One bit of an instruction's result flips.";
        case InstructionModel::warp_random_value:
            return fmt::format("The results of a warp instruction get the same relative error {}.",
                               error_value_text(table));
    }
    throw Error("an instruction model without a description");
}

void InstructionKind::complete(TransientHeader& header, const TransientTable& table,
                               std::int64_t /*channels*/, std::int64_t /*positions*/) const
{
    header.instruction = table.instruction;
}

void add_row(TransientFaultTable& table, const TransientHeader& /*header*/, const InstructionFault& fault)
{
    table.value.push_back(fault.value);
    table.element.push_back(fault.element);
    table.step.push_back(fault.step);
    table.bit.push_back(fault.bit < 0 ? kNoBit : static_cast<std::uint8_t>(fault.bit));
}

bool may_overflow(const InstructionFault& fault)
{
    return fault.bit >= kLargeFlip || is_huge(fault.value);
}

}  // namespace flipstorm
