"""OpenGL without a screen: context, geometry on the GPU, shaders and the mesh renderer's passes."""
