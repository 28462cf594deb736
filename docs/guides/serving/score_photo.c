/* Scores photos with an exported SavedModel, without Python: the C interface of TensorFlow alone.
 *
 * The library lies in the wheel `tensorflow`; with T=$(python -c "import tensorflow as tf;
 * print(tf.sysconfig.get_lib())"):
 *
 *   cc score_photo.c -o score_photo -I$T/include $T/libtensorflow_cc.so.2 \
 *       $T/libtensorflow_framework.so.2 -Wl,-rpath,$T
 *   ./score_photo MODEL/1 serving_default_image_bytes StatefulPartitionedCall_2 photo.jpg
 *
 * The names of input and output are those that `saved_model_cli show --dir MODEL/1 --all` prints.
 * Each photo is a request of its own: a score on stdout, or the reason on stderr and exit code 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void stop_unless_ok(TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s: %s\n", what, TF_Message(status));
    exit(2);
  }
}

/* `name` or `name:1`, as operation and place of its output. */
static TF_Output output_named(TF_Graph *graph, const char *name) {
  char operation[256];
  snprintf(operation, sizeof operation, "%s", name);
  char *colon = strchr(operation, ':');
  int place = colon ? atoi(colon + 1) : 0;
  if (colon) *colon = '\0';
  TF_Output output = {TF_GraphOperationByName(graph, operation), place};
  if (output.oper == NULL) {
    fprintf(stderr, "%s: not in the graph\n", name);
    exit(2);
  }
  return output;
}

/* A string tensor of one element: the bytes of a file. */
static TF_Tensor *file_as_tensor(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *bytes = malloc(size ? size : 1);
  if (fread(bytes, 1, size, file) != (size_t)size) {
    perror(path);
    exit(2);
  }
  fclose(file);
  const int64_t one = 1;
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, &one, 1, sizeof(TF_TString));
  TF_TString *string = TF_TensorData(tensor);
  TF_TString_Init(string);
  TF_TString_Copy(string, bytes, size);
  free(bytes);
  return tensor;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s MODEL_FOLDER INPUT OUTPUT PHOTO...\n", argv[0]);
    return 2;
  }
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL,
                                                     status);
  stop_unless_ok(status, argv[1]);
  TF_Output input = output_named(graph, argv[2]);
  TF_Output output = output_named(graph, argv[3]);

  int failures = 0;
  for (int i = 4; i < argc; i++) {
    TF_Tensor *contents = file_as_tensor(argv[i]);
    TF_Tensor *score = NULL;
    TF_SessionRun(session, NULL, &input, &contents, 1, &output, &score, 1, NULL, 0, NULL, status);
    if (TF_GetCode(status) == TF_OK) {
      printf("%.9g\n", *(float *)TF_TensorData(score));
      TF_DeleteTensor(score);
    } else {
      fprintf(stderr, "%s: %s\n", argv[i], TF_Message(status));
      failures++;
    }
    TF_DeleteTensor(contents);
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return failures != 0;
}
