namespace FastBackup.Tests.Nbd;

/// <summary>One request of a client, and its answer once that has come.</summary>
/// <param name="command">A Command* of NbdWire.</param>
/// <param name="flags">Flag* of NbdWire.</param>
/// <param name="offsetBytes">Any alignment; 0 for a flush.</param>
/// <param name="lengthBytes">0 for a flush.</param>
/// <param name="content">Of a write: what is written. Of a read: takes what was read. Else null.</param>
public sealed class NbdRequest(ushort command, ushort flags, ulong offsetBytes, uint lengthBytes, byte[]? content)
{
    public ushort Command => command;

    public ushort Flags => flags;

    public ulong OffsetBytes => offsetBytes;

    public uint LengthBytes => lengthBytes;

    public byte[]? Content => content;

    /// <summary>0 = done; else one of NbdWire.Error*, or another errno. Null until the answer is there.</summary>
    public uint? Error { get; set; }

    public override string ToString() => $"command {command} flags {flags} at {offsetBytes} + {lengthBytes}";
}
