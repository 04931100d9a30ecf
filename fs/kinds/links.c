#include "fs/view/links.h"

const struct links *const links[] = {&links_names, &links_layers};

const size_t links_count = ARRAY_SIZE(links);
