/* classify MODEL [INPUT=FILE]... [SIZE=NUMBER]...: runs any model once and shows the five greatest elements of each
 * output. FILE holds the elements of an input as they lie in memory; inputs without one are zeros. SIZE is an open size
 * of the model, such as batch=2; others are 1. */
#include <heed/heed.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { shown = 5 };

static int fail(void) {
  fprintf(stderr, "classify: %s\n", heed_error_message());
  return 1;
}

/* The text behind "NAME=" among the arguments; NULL where there is none. */
static const char* argument_of(int argc, char** argv, const char* name) {
  const size_t length = strlen(name);
  for (int i = 2; i < argc; ++i)
    if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
  return NULL;
}

static size_t bytes_of_element(int32_t data_type) {
  switch (data_type) {
    case HEED_F32:
    case HEED_I32:
    case HEED_U32:
      return 4;
    case HEED_I64:
    case HEED_U64:
    case HEED_F64:
      return 8;
    case HEED_F16:
    case HEED_BF16:
    case HEED_I16:
    case HEED_U16:
      return 2;
    case HEED_I8:
    case HEED_U8:
    case HEED_BOOL:
      return 1;
    default:
      return 0;
  }
}

/* Memory for an input, filled from its file or zero, which stays until the program ends. 0: done. */
static int bind_input(heed_session* session, const heed_value_info* info, int argc, char** argv) {
  int64_t dims[16];
  const size_t element_bytes = bytes_of_element(info->data_type);
  if (info->kind != HEED_VALUE_TENSOR || info->rank < 0 || info->rank > 16 || element_bytes == 0) {
    fprintf(stderr, "classify: no input of type %s can be given here\n", info->type);
    return 1;
  }
  size_t size_bytes = element_bytes;
  for (int32_t axis = 0; axis < info->rank; ++axis) {
    const char* size = argument_of(argc, argv, info->dim_names[axis]);
    dims[axis] = info->dims[axis] >= 0 ? info->dims[axis] : size ? strtoll(size, NULL, 10) : 1;
    size_bytes *= (size_t)dims[axis];
  }
  void* data = calloc(size_bytes ? size_bytes : 1, 1);
  const char* path = argument_of(argc, argv, info->name);
  FILE* file = path ? fopen(path, "rb") : NULL;
  if (!data || (path && !file)) {
    perror(path ? path : "classify");
    free(data);
    return 1;
  }
  const size_t read_bytes = file ? fread(data, 1, size_bytes, file) : size_bytes;
  const int has_more = file && fgetc(file) != EOF;
  if (file) fclose(file);
  if (read_bytes != size_bytes || has_more) {
    fprintf(stderr, "classify: %s: %s takes %zu bytes here\n", path, info->type, size_bytes);
    free(data);
    return 1;
  }
  const heed_array array = {data, size_bytes, dims, info->rank, info->data_type};
  return heed_session_bind_input(session, info->name, &array) == HEED_SUCCESS ? 0 : fail();
}

static void show(const char* name, const heed_array* array) {
  size_t count = 1, best[shown], best_count = 0;
  printf("%s  %s [", name, heed_data_type_name(array->data_type));
  for (int32_t axis = 0; axis < array->rank; ++axis) {
    printf(axis ? ", %" PRId64 : "%" PRId64, array->dims[axis]);
    count *= (size_t)array->dims[axis];
  }
  printf("]\n");
  if (array->data_type != HEED_F32) return;
  const float* elements = array->data;
  for (size_t i = 0; i < count; ++i) {
    size_t place = best_count;
    while (place > 0 && elements[i] > elements[best[place - 1]]) --place;
    if (place == shown) continue;
    if (best_count < shown) ++best_count;
    memmove(best + place + 1, best + place, (best_count - 1 - place) * sizeof(best[0]));
    best[place] = i;
  }
  for (size_t i = 0; i < best_count; ++i) printf("  %zu  %g\n", best[i], elements[best[i]]);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: classify MODEL [INPUT=FILE]... [SIZE=NUMBER]...\n");
    return 2;
  }
  heed_model* model = NULL;
  heed_session* session = NULL;
  if (heed_model_load(NULL, argv[1], NULL, &model) != HEED_SUCCESS) return fail();
  if (heed_session_create(model, NULL, &session) != HEED_SUCCESS) return fail();
  printf("on %s\n", heed_model_device(model));
  for (size_t i = 0; i < heed_model_input_count(model); ++i) {
    heed_value_info info = HEED_VALUE_INFO;
    if (heed_model_input(model, i, &info) != HEED_SUCCESS) return fail();
    if (info.is_state || info.has_default) continue;
    if (bind_input(session, &info, argc, argv)) return 1;
  }
  if (heed_session_run(session) != HEED_SUCCESS) return fail();
  for (size_t i = 0; i < heed_model_output_count(model); ++i) {
    heed_value_info info = HEED_VALUE_INFO;
    heed_array array;
    if (heed_model_output(model, i, &info) != HEED_SUCCESS) return fail();
    if (info.is_state) continue;
    if (info.kind != HEED_VALUE_TENSOR) {
      printf("%s  %s\n", info.name, info.type);
      continue;
    }
    if (heed_session_output(session, info.name, &array) != HEED_SUCCESS) return fail();
    show(info.name, &array);
  }
  heed_session_free(session);
  heed_model_free(model);
  return 0;
}
