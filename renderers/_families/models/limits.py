"""How large a model file may be; what is larger is refused, or made smaller where it says so."""

FORMATS = ("glb", "obj", "ply", "stl")  # of files that differ in this alone, the first is taken

MOST_BYTES = 64 * 2**20  # of a file, and of each file that it names
MOST_VERTICES = 2_000_000
MOST_FACES = 4_000_000
MOST_NODES = 20_000
DEEPEST = 64  # nodes below one another

MOST_TRIANGLES = 60_000  # of a model as it is drawn; what has more is made coarser
LARGEST_TEXTURE = 4096  # px on a side; what is larger is made smaller
MOST_TEXELS = 2**27  # of a texture; above, it is not even decoded

MEMORY = 4 * 2**30  # bytes of the process that reads
CPU_SECONDS = 30  # for one file
SECONDS = 60
