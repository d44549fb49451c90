/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/list.h: doubly linked lists of pool items, linked by index inside the items.
 *
 * Each call names the list, the pool of the items, the offset of the struct tern_list_link in them
 * and the item. An item may be on as many lists as it has links. A zeroed list is empty; the link
 * of an item on no list is zeroed (but so is that of the only item of a list).
 */
#ifndef TERN_BASE_LIST_H
#define TERN_BASE_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

struct tern_list_link {
	uint32_t next, prev;
};

struct tern_list {
	uint32_t head, tail, count;
};

/* The link of an item. */
static inline struct tern_list_link *tern_list_link(const struct tern_pool *pool,
						    size_t link_offset, uint32_t idx)
{
	return (struct tern_list_link *)(void *)((uint8_t *)tern_pool_at(pool, idx) + link_offset);
}

/* The item behind idx, or 0. */
static inline uint32_t tern_list_next(const struct tern_pool *pool, size_t link_offset,
				      uint32_t idx)
{
	return tern_list_link(pool, link_offset, idx)->next;
}

/* tern_list_push_back() where the item's link is at hand. */
static inline void tern_list_append(struct tern_list *list, const struct tern_pool *pool,
				    size_t link_offset, uint32_t idx, struct tern_list_link *link)
{
	link->next = 0;
	link->prev = list->tail;
	if (list->tail)
		tern_list_link(pool, link_offset, list->tail)->next = idx;
	else
		list->head = idx;
	list->tail = idx;
	list->count++;
}

/* Append an item that is not on the list. */
static inline void tern_list_push_back(struct tern_list *list, const struct tern_pool *pool,
				       size_t link_offset, uint32_t idx)
{
	tern_list_append(list, pool, link_offset, idx, tern_list_link(pool, link_offset, idx));
}

/* tern_list_remove() where the item's link is at hand. */
static inline void tern_list_unlink(struct tern_list *list, const struct tern_pool *pool,
				    size_t link_offset, struct tern_list_link *link)
{
	if (link->next)
		tern_list_link(pool, link_offset, link->next)->prev = link->prev;
	else
		list->tail = link->prev;
	if (link->prev)
		tern_list_link(pool, link_offset, link->prev)->next = link->next;
	else
		list->head = link->next;
	link->next = 0;
	link->prev = 0;
	list->count--;
}

/* Take an item that is on the list off it. */
static inline void tern_list_remove(struct tern_list *list, const struct tern_pool *pool,
				    size_t link_offset, uint32_t idx)
{
	tern_list_unlink(list, pool, link_offset, tern_list_link(pool, link_offset, idx));
}

/* Take the first item off the list and return it; 0 when the list is empty. */
static inline uint32_t tern_list_pop_front(struct tern_list *list, const struct tern_pool *pool,
					   size_t link_offset)
{
	uint32_t idx = list->head;

	if (idx)
		tern_list_remove(list, pool, link_offset, idx);
	return idx;
}

#endif
