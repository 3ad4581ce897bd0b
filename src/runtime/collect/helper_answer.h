/* helper_answer.h - what the helper says, checked word by word. Opens nothing. The protocol is in docs/names.md. */
#ifndef CPPROF_RUNTIME_COLLECT_HELPER_ANSWER_H
#define CPPROF_RUNTIME_COLLECT_HELPER_ANSWER_H

#include "runtime/collect/helper.h"

#define HELPER_GREETING "cpprof-names 1\n" /* first line of both directions */

/* Fills the answers of the queries (sorted by address) from the text, which is cut up and must live as long as they do. False:
 * the text is no whole answer; some queries may have been filled. */
bool helper_answer_read(char *text, size_t length, struct helper_query *queries, size_t count);

#endif
