// fb_error.
namespace FastBackup.Native.Structs;

public unsafe struct ErrorRecord
{
    public const int TextBytes = 232;
    public const uint SizeFirst = 256;

    public uint StructSize;
    public int Status;
    public int SysErrno;
    public uint TextLength;
    public ulong Offset;

    // SAFETY: written through a span of TextBytes only.
    public fixed byte Text[TextBytes];
}
