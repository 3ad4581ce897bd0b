/* legacy_mappings.c - what is made of a memory map's entries: joined, the main binary first, one for each location.
 *
 * The first mapping in order that holds an address wins, and mappings may overlap: two trees of intervals over the sorted
 * boundaries answer that in logarithmic time, however many there are of either.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/legacy_build.h"

/* --- joining, and the main binary ------------------------------------------------------------------------------- */

static bool is_equal_or_empty(uint32_t a, uint32_t b)
{
	return a == 0 || b == 0 || a == b;
}

/* Whether the two entries are one that was split. */
static bool is_adjacent(const struct mapping *a, const struct mapping *b)
{
	if (!is_equal_or_empty(a->file, b->file) || !is_equal_or_empty(a->build_id, b->build_id) || a->limit != b->start)
		return false;
	return a->offset == 0 || b->offset == 0 || a->offset + (a->limit - a->start) == b->offset;
}

static void join_adjacent(struct profile *profile)
{
	uint32_t count = profile->mapping_count ? 1 : 0;
	for (uint32_t i = 1; i < profile->mapping_count; i++) {
		struct mapping *last = &profile->mappings[count - 1];
		const struct mapping *next = &profile->mappings[i];
		if (!is_adjacent(last, next)) {
			profile->mappings[count++] = *next;
			continue;
		}
		last->limit = next->limit;
		last->file = next->file ? next->file : last->file;
		last->build_id = next->build_id ? next->build_id : last->build_id;
	}
	profile->mapping_count = count;
}

/* ".so" at the end, or ".so.N" or ".so_N" anywhere. */
static bool is_library(struct str file)
{
	const struct str suffix = STR_LITERAL(".so");
	if (str_ends_with(file, suffix))
		return true;
	for (size_t at = 0; (at = text_find(file, at, suffix)) < file.length; at++) {
		size_t behind = at + suffix.length;
		if (behind + 1 < file.length && (file.data[behind] == '.' || file.data[behind] == '_') &&
		    is_digit(file.data[behind + 1]))
			return true;
	}
	return false;
}

/* Whether a mapping of that file can be the program itself. */
static bool may_be_main(struct str file)
{
	const struct str deleted = STR_LITERAL("(deleted)");
	struct buffer rest;
	buffer_init(&rest, BUFFER_UNLIMITED);
	for (size_t at = 0; at < file.length;) {
		size_t found = text_find(file, at, deleted);
		buffer_append(&rest, file.data + at, found - at);
		at = found + deleted.length;
	}
	struct str name = text_trim(buffer_str(&rest));
	bool may_be = name.length > 0 && !is_library(name) && name.data[0] != '[';
	buffer_release(&rest);
	return may_be;
}

static void put_main_first(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		if (!may_be_main(profile_str(profile, profile->mappings[i].file)))
			continue;
		struct mapping first = profile->mappings[0];
		profile->mappings[0] = profile->mappings[i];
		profile->mappings[i] = first;
		return;
	}
}

void legacy_massage_mappings(struct legacy *legacy)
{
	join_adjacent(&legacy->profile);
	put_main_first(&legacy->profile);
}

/* --- the mapping of an address ---------------------------------------------------------------------------------- */

/* Which mappings cover an address. Each interval is put in the few nodes of the tree whose ranges make it up; the nodes from a
 * leaf to the root have all that cover the leaf. A node's list is in order of index, and only its head is looked at. */
struct cover {
	uint32_t *heads; /* 2 × leaf_count, the root at 1: index into entries, 0 = none */
	uint32_t leaf_count;
	struct cover_entry *entries; /* used from 1 on */
	size_t entry_count, entry_capacity;
};

struct cover_entry {
	uint32_t mapping_ix;
	uint32_t next; /* as in heads */
};

struct address_index {
	uint64_t *boundaries; /* sorted; leaf i is boundaries[i] <= address < boundaries[i + 1] */
	uint32_t boundary_count;
	struct cover held;  /* by a mapping */
	struct cover below; /* by what a mapping's offset says is missing in front of it */
};

static void cover_init(struct cover *cover, uint32_t leaf_count)
{
	*cover = (struct cover){ .leaf_count = leaf_count, .entry_count = 1, .entry_capacity = 1 };
	cover->heads = xcalloc(leaf_count, 2 * sizeof(*cover->heads));
	cover->entries = xcalloc(1, sizeof(*cover->entries));
}

static void cover_release(struct cover *cover)
{
	free(cover->heads);
	free(cover->entries);
}

/* Puts the mapping at the head, unless the head is before it already. */
static void cover_node(struct cover *cover, size_t node, uint32_t mapping_ix)
{
	uint32_t head = cover->heads[node];
	if (head && cover->entries[head].mapping_ix <= mapping_ix)
		return;
	cover->entries = xgrow(cover->entries, cover->entry_count, &cover->entry_capacity, sizeof(*cover->entries));
	cover->entries[cover->entry_count] = (struct cover_entry){ mapping_ix, head };
	cover->heads[node] = (uint32_t)cover->entry_count++;
}

static void cover_add(struct cover *cover, uint32_t from, uint32_t to, uint32_t mapping_ix)
{
	size_t low = (size_t)from + cover->leaf_count, high = (size_t)to + cover->leaf_count;
	for (; low < high; low /= 2, high /= 2) {
		if (low % 2)
			cover_node(cover, low++, mapping_ix);
		if (high % 2)
			cover_node(cover, --high, mapping_ix);
	}
}

/* The first mapping that covers the leaf; with `must_extend`, those that cannot be extended (any more) are forgotten. */
static uint32_t cover_find(struct cover *cover, uint32_t leaf, const struct profile *profile, bool must_extend)
{
	uint32_t first = PROFILE_NONE;
	for (size_t node = (size_t)leaf + cover->leaf_count; node > 0; node /= 2) {
		uint32_t head = cover->heads[node];
		while (head && must_extend && profile->mappings[cover->entries[head].mapping_ix].offset == 0)
			head = cover->entries[head].next;
		cover->heads[node] = head;
		if (head && cover->entries[head].mapping_ix < first)
			first = cover->entries[head].mapping_ix;
	}
	return first;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* How many boundaries are not above the address: one more than its leaf. */
static uint32_t boundaries_up_to(const struct address_index *index, uint64_t address)
{
	uint32_t low = 0, high = index->boundary_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (index->boundaries[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_interval(const struct address_index *index, struct cover *cover, uint64_t start, uint64_t limit,
                         uint32_t mapping_ix)
{
	if (start < limit)
		cover_add(cover, boundaries_up_to(index, start) - 1, boundaries_up_to(index, limit) - 1, mapping_ix);
}

static void collect_boundaries(const struct profile *profile, struct address_index *index)
{
	index->boundaries = xreallocarray(NULL, profile->mapping_count, 3 * sizeof(*index->boundaries));
	uint32_t count = 0;
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		const struct mapping *mapping = &profile->mappings[i];
		index->boundaries[count++] = mapping->start;
		index->boundaries[count++] = mapping->limit;
		index->boundaries[count++] = mapping->start - mapping->offset;
	}
	qsort(index->boundaries, count, sizeof(*index->boundaries), compare_addresses);
	for (uint32_t i = 0; i < count; i++) {
		if (i == 0 || index->boundaries[i] != index->boundaries[index->boundary_count - 1])
			index->boundaries[index->boundary_count++] = index->boundaries[i];
	}
}

static void index_init(struct address_index *index, const struct profile *profile)
{
	*index = (struct address_index){ 0 };
	collect_boundaries(profile, index);
	cover_init(&index->held, index->boundary_count);
	cover_init(&index->below, index->boundary_count);
	for (uint32_t i = profile->mapping_count; i-- > 0;) { /* so that each goes in front of the later ones */
		const struct mapping *mapping = &profile->mappings[i];
		add_interval(index, &index->held, mapping->start, mapping->limit, i);
		add_interval(index, &index->below, mapping->start - mapping->offset, mapping->start, i);
	}
}

static void index_release(struct address_index *index)
{
	free(index->boundaries);
	cover_release(&index->held);
	cover_release(&index->below);
}

/* The mapping that holds the address, or whose offset says that it should: that one is extended, once. */
static uint32_t find_mapping(struct profile *profile, struct address_index *index, uint64_t address, bool may_extend)
{
	uint32_t up_to = boundaries_up_to(index, address);
	if (up_to == 0)
		return PROFILE_NONE;
	uint32_t mapping_ix = cover_find(&index->held, up_to - 1, profile, false);
	if (mapping_ix != PROFILE_NONE || !may_extend)
		return mapping_ix;
	mapping_ix = cover_find(&index->below, up_to - 1, profile, true);
	if (mapping_ix == PROFILE_NONE)
		return PROFILE_NONE;
	struct mapping *mapping = &profile->mappings[mapping_ix];
	mapping->start -= mapping->offset;
	mapping->offset = 0;
	add_interval(index, &index->held, mapping->start, mapping->limit, mapping_ix);
	return mapping_ix;
}

static void assign_locations(struct profile *profile, struct address_index *index)
{
	uint32_t fake_ix = PROFILE_NONE; /* holds every address, so that once it is there no mapping is extended any more */
	for (uint32_t i = 0; i < profile->location_count; i++) {
		uint64_t address = profile->locations[i].address;
		if (address == 0)
			continue;
		uint32_t mapping_ix = find_mapping(profile, index, address, fake_ix == PROFILE_NONE);
		if (mapping_ix == PROFILE_NONE) {
			if (fake_ix == PROFILE_NONE) {
				fake_ix = profile->mapping_count;
				profile_add_mapping(profile)->limit = UINT64_MAX;
			}
			mapping_ix = fake_ix;
		}
		profile->locations[i].mapping_ix = mapping_ix;
	}
}

/* Takes an initial entry of huge pages away that lies in front of its successor: it is the program, remapped. */
static void drop_huge_page_entry(struct profile *profile)
{
	if (profile->mapping_count < 2 ||
	    !str_starts_with(profile_str(profile, profile->mappings[0].file), STR_LITERAL("/anon_hugepage")) ||
	    profile->mappings[0].limit != profile->mappings[1].start)
		return;
	profile->mapping_count--;
	memmove(profile->mappings, profile->mappings + 1, profile->mapping_count * sizeof(*profile->mappings));
}

void legacy_assign_mappings(struct legacy *legacy)
{
	const uint64_t usual_start = 0x400000; /* of a program that is not position-independent */
	struct profile *profile = &legacy->profile;
	drop_huge_page_entry(profile);
	if (profile->mapping_count > 0 && profile->mappings[0].start - profile->mappings[0].offset == usual_start) {
		profile->mappings[0].start = usual_start;
		profile->mappings[0].offset = 0;
	}
	struct address_index index;
	index_init(&index, profile);
	assign_locations(profile, &index);
	index_release(&index);
	for (uint32_t i = 0; i < profile->mapping_count; i++)
		profile->mappings[i].id = i + 1;
}
