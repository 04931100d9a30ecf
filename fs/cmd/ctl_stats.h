/* What weightctl check --stats gathers and prints: a row of numbers a tensor. */
#ifndef FS_CMD_CTL_STATS_H
#define FS_CMD_CTL_STATS_H

#include "codec/model/model.h"
#include "codec/tensor/stats.h"

/* Prints the table; stats: by tensor_id. -ENOMEM. */
int stats_print(const struct model *m, const struct stats *stats);

#endif
