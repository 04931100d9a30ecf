#include "fs/kinds/kinds.h"

const struct kind *const kinds[] = {
	&kind_raw,    &kind_npy,      &kind_text,	  &kind_strings,    &kind_signature,
	&kind_config, &kind_training, &kind_object_graph, &kind_model_json, &kind_tensors_tsv,
	&kind_asset,  &kind_status,   &kind_log,	  &kind_version,    &kind_control,
};

const size_t kind_count = ARRAY_SIZE(kinds);
