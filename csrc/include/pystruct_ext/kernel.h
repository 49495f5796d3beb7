/* A kernel that a binder can fill without knowing it (C99, no Python.h).
 *
 * A kernel is a view over arrays and numbers. It lists its fields (name, type, shape, role); the
 * binder checks the values it was given against the list, fills the view, and owns the arrays for as
 * long as the box lives. The table is handed around in a PyCapsule named PSX_KERNEL_CAPSULE, or as
 * the address of a function that returns it: `Kernel.from_capsule`, `Kernel.from_library`.
 *
 * Shapes are text: dimensions separated by commas, each a sum of products of names and integers, such
 * as "n+1" or "n_rows,2*stride". A name is that of a number field, of a size, or bound by the first
 * array that has it. "a|b" takes the first alternative whose names are all known. "*" is any length.
 *
 * Ranges are text, too: what the values must be for the kernel never to leave its arrays.
 *   "any"                 whatever they are (hashes)
 *   "finite"              neither NaN nor infinite; "finite or -inf": also -inf
 *   "positive"            finite and above 0
 *   "lo..hi"              from lo to hi, both included; either may be missing; floats are finite
 *   "lo..hi by 8"         and a multiple of 8
 *   "lo..hi rising"       the first is lo, the last hi, and none is smaller than the one before
 * lo and hi are sums of products, as in shapes, with two more kinds of names: "#offsets" is the
 * length of the block of these offsets that an entry belongs to, "n_levels[]" the entry of that
 * array for the block (in an array of two dimensions: for the column). The blocks of an array are
 * those of the offsets whose total is its first dimension, or, for the dimension n, the examples.
 * "...; with x" says that an optional array is needed where x is given, "...; without x" where not.
 */
#ifndef PYSTRUCT_EXT_KERNEL_H
#define PYSTRUCT_EXT_KERNEL_H

#include <stdint.h>

#include "pystruct_ext/oracle.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PSX_KERNEL_CAPSULE "pystruct_ext.kernel.v1"

enum psx_type {
  PSX_REAL = 0, /* the type of w */
  PSX_DOUBLE = 1,
  PSX_INT32 = 2,
  PSX_INT64 = 3,
  PSX_UINT8 = 4,
  PSX_RECORD = 5 /* item_bytes bytes each, whatever they mean */
};

enum psx_role {
  PSX_ARRAY = 0,
  PSX_OPTIONAL = 1, /* an array that may be None: a null pointer */
  PSX_OFFSETS = 2,  /* int64, from 0, never falling; its last entry is the size `total` */
  PSX_OPTIONAL_OFFSETS = 3,
  PSX_NUMBER = 4,          /* a whole number or a float; 0 or 1 for a bool */
  PSX_OPTIONAL_NUMBER = 5, /* keeps the kernel's default if it is not given */
  PSX_SIZE = 6             /* a number that follows from the shapes: not given, only filled */
};

typedef struct psx_field {
  const char* name;
  const char* shape; /* arrays */
  const char* total; /* offsets: the name of the size that they end at */
  int32_t type;      /* psx_type */
  int32_t role;      /* psx_role */
  int64_t item_bytes;
} psx_field;

typedef struct psx_value {
  const void* data; /* arrays; NULL: None */
  double number;
  int64_t integer;
  int32_t given; /* numbers: whether there is one */
} psx_value;

typedef struct psx_kernel {
  uint32_t struct_size;
  uint32_t abi_version; /* PSX_ABI_VERSION */
  const char* name;
  uint32_t w_bytes; /* the sizes of w it can be bound for, or-ed: 4, 8 */
  int32_t n_fields;
  const psx_field* fields;
  /* A box over a filled view, values in the order of fields; NULL if memory ran out. */
  void* (*create)(uint32_t w_bytes, const psx_value* values);
  const psx_oracle* (*oracle)(void* box);
  void (*destroy)(void* box);
  /* Version 1.0 ends above: tables of smaller struct_size have no ranges. */
  const char* const* ranges; /* n_fields texts; "" for sizes and offsets */
  /* What is wrong with a filled view that ranges cannot say, or NULL. Called once after create. */
  const char* (*wrong)(void* box);
} psx_kernel;

#ifdef __cplusplus
}
#endif

#endif /* PYSTRUCT_EXT_KERNEL_H */
