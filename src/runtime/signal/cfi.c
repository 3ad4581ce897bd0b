/* cfi.c - the binary search table, the entries, and the little programs of .eh_frame. */
#include "runtime/signal/cfi.h"

#include "runtime/shared/sys.h"
#include "runtime/signal/cfi_program.h"
#include "runtime/signal/cfi_reader.h"

/* Pointer encodings (DW_EH_PE_*): the lower four bits say the form, the next three what it is relative to. */
#define FORM(encoding) ((encoding)&0x0F)
#define RELATION(encoding) ((encoding)&0x70)
#define PC_RELATIVE 0x10
#define DATA_RELATIVE 0x30
#define OMITTED 0xFF
#define INDIRECT 0x80

static const uint8_t *memory(uintptr_t address)
{
	return (const uint8_t *)address;
}

static bool fetch(const struct cfi_tables *tables, void *to, uintptr_t from, size_t size)
{
	if (tables->may_vanish)
		return sys_copy_memory(to, memory(from), size) == (long)size;
	memcpy(to, memory(from), size);
	return true;
}

static uint64_t read_form(struct cfi_reader *reader, uint8_t form)
{
	switch (form) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0C: /* sdata8 */
		return cfi_bytes(reader, 8);
	case 0x01:
		return cfi_uleb(reader);
	case 0x02:
		return cfi_bytes(reader, 2);
	case 0x03:
		return cfi_bytes(reader, 4);
	case 0x09:
		return (uint64_t)cfi_sleb(reader);
	case 0x0A:
		return (uint64_t)(int64_t)(int16_t)cfi_bytes(reader, 2);
	case 0x0B:
		return (uint64_t)(int64_t)(int32_t)cfi_bytes(reader, 4);
	}
	reader->bad = true;
	return 0;
}

uintptr_t cfi_encoded(struct cfi_reader *reader, uint8_t encoding, uintptr_t data_base)
{
	uintptr_t place = (uintptr_t)reader->at + reader->moved, value = read_form(reader, FORM(encoding));
	if (encoding & INDIRECT) { /* never for what we read: code addresses of this module */
		reader->bad = true;
		return 0;
	}
	if (RELATION(encoding) == PC_RELATIVE)
		return place + value;
	if (RELATION(encoding) == DATA_RELATIVE)
		return data_base + value;
	if (RELATION(encoding))
		reader->bad = true;
	return value;
}

/* --- the search table --------------------------------------------------------------------------------------------- */

#define HEADER_ROOM 20u /* the four bytes of encodings, a pointer of up to eight, a count of up to eight */

struct table_entry {
	int32_t address, fde; /* relative to the header */
};

/* The entry that may cover the address, by the sorted table of .eh_frame_hdr; 0. */
static uintptr_t search(const struct cfi_tables *tables, uintptr_t address)
{
	uint8_t head[HEADER_ROOM];
	uintptr_t base = tables->header;
	if (tables->header_end < base || tables->header_end - base < sizeof(head) ||
	    !fetch(tables, head, base, sizeof(head)))
		return 0;
	struct cfi_reader reader = { head + 4, head + sizeof(head), base - (uintptr_t)head, false, false };
	/* Linkers write the table as signed 32-bit offsets from the header, or none at all. */
	if (head[0] != 1 || head[2] == OMITTED || head[3] != (DATA_RELATIVE | 0x0B))
		return 0;
	cfi_encoded(&reader, head[1], base);
	size_t count = cfi_encoded(&reader, head[2], base);
	uintptr_t table = (uintptr_t)reader.at + reader.moved;
	if (reader.bad || !count || count > (tables->header_end - table) / sizeof(struct table_entry))
		return 0;
	struct table_entry entry;
	intptr_t wanted = (intptr_t)(address - base);
	size_t low = 0, high = count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (!fetch(tables, &entry.address, table + middle * sizeof(entry), sizeof(entry.address)))
			return 0;
		if (entry.address <= wanted)
			low = middle;
		else
			high = middle;
	}
	if (!fetch(tables, &entry, table + low * sizeof(entry), sizeof(entry)) || entry.address > wanted)
		return 0;
	return base + (uintptr_t)(intptr_t)entry.fde;
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

/* The content of an entry, behind its length. A copy that has not room enough ends early: then the program is cut short,
 * and is only good if the row is complete by then. Entries of more than 4 GiB (a length of 0xFFFFFFFF) do not exist. */
static bool open_entry(const struct cfi_tables *tables, uintptr_t entry, uint8_t *room, size_t room_size,
                       struct cfi_reader *ret_reader)
{
	uint32_t length;
	if (entry < tables->low || entry >= tables->high || tables->high - entry < sizeof(length) ||
	    !fetch(tables, &length, entry, sizeof(length)))
		return false;
	uintptr_t content = entry + sizeof(length);
	if (!length || length > tables->high - content)
		return false;
	if (!tables->may_vanish) {
		*ret_reader = (struct cfi_reader){ memory(content), memory(content) + length, 0, false, false };
		return true;
	}
	size_t size = length < room_size ? length : room_size;
	*ret_reader = (struct cfi_reader){ room, room + size, content - (uintptr_t)room, false, size < length };
	return fetch(tables, room, content, size);
}

static bool read_augmentation(struct cfi_reader *reader, const uint8_t *letters, struct cfi_cie *cie)
{
	if (*letters != 'z')
		return *letters == '\0';
	cie->augmented = true;
	uint64_t length = cfi_uleb(reader);
	struct cfi_reader data = *reader;
	cfi_skip(reader, length);
	if (reader->bad)
		return false;
	data.end = reader->at;
	for (letters++; *letters; letters++) {
		if (*letters == 'R') {
			cie->pointer_encoding = (uint8_t)cfi_bytes(&data, 1);
		} else if (*letters == 'P') {
			uint8_t encoding = (uint8_t)cfi_bytes(&data, 1);
			cfi_encoded(&data, encoding & (uint8_t)~INDIRECT, 0);
		} else if (*letters == 'L') {
			cfi_bytes(&data, 1);
		} else if (*letters == 'S') {
			cie->signal_frame = true;
		} else if (*letters != 'B') {
			return false;
		}
	}
	return !data.bad;
}

static bool read_cie(const struct cfi_tables *tables, uintptr_t entry, struct cfi_room *room, struct cfi_cie *cie)
{
	struct cfi_reader reader;
	if (!open_entry(tables, entry, room ? room->cie : NULL, room ? sizeof(room->cie) : 0, &reader) ||
	    cfi_bytes(&reader, 4) != 0)
		return false;
	uint64_t version = cfi_bytes(&reader, 1);
	const uint8_t *letters = reader.at;
	const uint8_t *end = reader.bad ? NULL : memchr(letters, 0, (size_t)(reader.end - letters));
	if (!end || (version != 1 && version != 3 && version != 4))
		return false;
	reader.at = end + 1;
	if (version == 4 && cfi_bytes(&reader, 2) != 8) /* address size 8, segment size 0 */
		return false;
	*cie = (struct cfi_cie){ .code_alignment = cfi_uleb(&reader) };
	cie->data_alignment = cfi_sleb(&reader);
	uint64_t return_register = version == 1 ? cfi_bytes(&reader, 1) : cfi_uleb(&reader);
	if (return_register != CFI_RA || !read_augmentation(&reader, letters, cie))
		return false;
	cie->program = reader;
	return !reader.bad;
}

bool cfi_find(const struct cfi_tables *tables, uintptr_t address, struct cfi_room *room, struct cfi_row *ret_row)
{
	uintptr_t entry = search(tables, address);
	struct cfi_reader reader;
	struct cfi_cie cie;
	if (!entry || (tables->may_vanish && !room) ||
	    !open_entry(tables, entry, room ? room->fde : NULL, room ? sizeof(room->fde) : 0, &reader))
		return false;
	uintptr_t place = entry + 4;
	uint64_t distance = cfi_bytes(&reader, 4);
	if (!distance || distance > place - tables->low || !read_cie(tables, place - distance, room, &cie))
		return false;
	uintptr_t start = cfi_encoded(&reader, cie.pointer_encoding, 0);
	uintptr_t size = cfi_encoded(&reader, FORM(cie.pointer_encoding), 0);
	if (cie.augmented)
		cfi_skip(&reader, cfi_uleb(&reader));
	if (reader.bad || address - start >= size)
		return false;
	memset(ret_row, 0, sizeof(*ret_row));
	ret_row->function = start;
	ret_row->function_end = start + size;
	ret_row->base = reader.at;
	ret_row->signal_frame = cie.signal_frame;
	return cfi_run(&cie, &reader, start, address, ret_row);
}

const uint8_t *cfi_expression(const struct cfi_row *row, int32_t value, size_t *ret_length)
{
	/* The run has made sure that it is all there. */
	const uint8_t *at = row->base + value;
	struct cfi_reader reader = { at, at + 10, 0, false, false };
	*ret_length = (size_t)cfi_uleb(&reader);
	return reader.at;
}
