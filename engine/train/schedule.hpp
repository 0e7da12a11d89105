#pragma once
// Learning-rate schedules as pure functions of the step.

#include <cstdint>
#include <string_view>

namespace flipstorm
{

/// How the learning rate moves over a training.
enum class Schedule
{
    constant,
    cosine,     ///< lr/2 (1 + cos(π s/S)), Loshchilov and Hutter, 2017
    one_cycle,  ///< cosine up from lr/25 over 30 % of the steps, cosine down to lr/(25·10⁴); Smith, 2018
};

/// Schedule of that name. \throws JobError naming the known ones.
Schedule schedule_from(std::string_view name);

/**
 * Learning rate at a step.
 *
 * `one_cycle` gives the values of torch.optim.lr_scheduler.OneCycleLR with its defaults.
 *
 * \param peak   largest learning rate
 * \param step   0 … steps − 1
 */
double learning_rate(Schedule schedule, double peak, std::int64_t step, std::int64_t steps);

}  // namespace flipstorm
