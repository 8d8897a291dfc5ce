// FB_KIND_*: the top byte of a handle.
using FastBackup.Native.Header;

namespace FastBackup.Native.Handles;

enum HandleKind : byte
{
    None = (byte)Fb.KindNone,
    Engine = (byte)Fb.KindEngine,
    Queue = (byte)Fb.KindQueue,
    Device = (byte)Fb.KindDevice,
    Disk = (byte)Fb.KindDisk,
    Bitmap = (byte)Fb.KindBitmap,
    Job = (byte)Fb.KindJob,
    Monitor = (byte)Fb.KindMonitor,
    Server = (byte)Fb.KindServer,
}
