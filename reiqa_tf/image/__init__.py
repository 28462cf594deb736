"""The image contract: RGB, channels last, 8-bit levels on disk, float32 in [0, 1] in a model.

`reading` turns a file into such a picture and imports no TensorFlow; `scaling` changes the size of
pictures inside a TensorFlow graph exactly as Pillow does; `decoding` reads JPEG inside a graph.
Import from the modules: nothing is re-exported here, so that reading a photo stays cheap.
"""
