/* heed.h as C11 sees it, beside plugin.h. */
#include "heed/heed.h"
#include "heed/plugin.h"

#include <string.h>

#define EXPECT(condition) \
  if (!(condition)) return __LINE__

int heed_h_test(const void* bytes, size_t size_bytes) {
  heed_model_options options = HEED_MODEL_OPTIONS;
  heed_value_info info = HEED_VALUE_INFO;
  heed_model* model = NULL;
  heed_session* session = NULL;
  float a[6] = {1, -2, 3, 4, 5, -60}, b[3] = {1, 1, 1}, y[6];
  const int64_t a_dims[2] = {2, 3};
  const heed_array a_array = {a, sizeof(a), a_dims, 2, HEED_F32};
  const heed_array b_array = {b, sizeof(b), a_dims + 1, 1, HEED_F32};
  const heed_array y_array = {y, sizeof(y), a_dims, 2, HEED_F32};
  heed_array result;

  options.device = "cpu";
  EXPECT(heed_model_load_memory(NULL, bytes, size_bytes, NULL, NULL, &options, &model) == HEED_SUCCESS);
  EXPECT(heed_model_input_count(model) == 2 && heed_model_output_count(model) == 1);
  EXPECT(heed_model_input(model, 0, &info) == HEED_SUCCESS && strcmp(info.name, "a") == 0 && info.rank == 2);
  EXPECT(heed_model_input(model, 2, &info) == HEED_ERROR_INVALID_ARGUMENT);
  EXPECT(strcmp(heed_error_message(), "input 2 of 2") == 0);
  EXPECT(heed_session_create(model, NULL, &session) == HEED_SUCCESS);
  heed_model_free(model);
  EXPECT(heed_session_bind_input(session, "a", &a_array) == HEED_SUCCESS);
  EXPECT(heed_session_bind_input(session, "b", &b_array) == HEED_SUCCESS);
  EXPECT(heed_session_bind_output(session, "y", &y_array) == HEED_SUCCESS);
  EXPECT(heed_session_run(session) == HEED_SUCCESS);
  EXPECT(y[0] == 2 && y[1] == 0 && y[5] == 0);
  EXPECT(heed_session_output(session, "y", &result) == HEED_SUCCESS && result.data == y && result.dims[0] == 2);
  heed_session_free(session);
  heed_session_free(NULL);
  heed_model_free(NULL);
  heed_runtime_free(NULL);
  heed_value_free(NULL);
  return 0;
}
