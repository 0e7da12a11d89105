#include "jobs/resolve/train_options.hpp"

#include "jobs/resolve/format_choice.hpp"

namespace flipstorm
{

TrainOptions train_options(const Job& job)
{
    TrainOptions options;
    options.epochs = job.train.epochs;
    options.batch = job.train.batch;
    options.lr = job.train.lr;
    options.momentum = job.train.momentum;
    options.weight_decay = job.train.weight_decay;
    options.clip = job.train.clip;
    options.loss = loss_from(job.train.loss);
    options.schedule = schedule_from(job.train.schedule);
    options.augment = augment_from(job.train.augment);
    options.batch_norm = batch_norm_scope_from(job.train.batch_norm);
    options.fault_aware.rule = fault_rule_from(job.fault_aware.rule);
    options.fault_aware.geometry = geometry_from(job.fault_aware.geometry);
    options.fault_aware.image_share = job.fault_aware.images;
    options.fault_aware.channel_probability = job.fault_aware.channels;
    options.fault_aware.magnitude = job.fault_aware.magnitude;
    options.format = format_choice(job.model);
    options.seed = job.job.seed;
    return options;
}

}  // namespace flipstorm
