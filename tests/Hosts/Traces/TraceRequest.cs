using FastBackup.Base;
using FastBackup.Tests.Nbd;

namespace FastBackup.Tests.Hosts.Traces;

/// <summary>A request of a trace, before it is sent to a server.</summary>
/// <param name="Command">A Command* of NbdWire.</param>
/// <param name="Flags">Flag* of NbdWire.</param>
/// <param name="OffsetBytes">Any alignment.</param>
/// <param name="LengthBytes">0 for a flush.</param>
/// <param name="ContentSeed">What a write writes: 0 = zeroes, else random bytes.</param>
sealed record TraceRequest(ushort Command, ushort Flags, ulong OffsetBytes, uint LengthBytes, ulong ContentSeed)
{
    public ulong EndBytes => OffsetBytes + LengthBytes;

    public bool Overlaps(TraceRequest other) => OffsetBytes < other.EndBytes && other.OffsetBytes < EndBytes;

    public NbdRequest ToNbd()
    {
        bool hasContent = Command is NbdWire.CommandRead or NbdWire.CommandWrite;
        byte[]? content = hasContent ? new byte[LengthBytes] : null;
        if (Command == NbdWire.CommandWrite && ContentSeed != 0)
            new Prng(ContentSeed).Fill(content);
        return new NbdRequest(Command, Flags, OffsetBytes, LengthBytes, content);
    }
}
