// FB_KIND_*: the top byte of a handle.
namespace FastBackup.Native.Handles;

enum HandleKind : byte
{
    None = 0,
    Engine = 1,
    Queue = 2,
    Device = 3,
    Disk = 4,
    Bitmap = 5,
    Job = 6,
    Monitor = 7,
}
