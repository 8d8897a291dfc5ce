// Alignment of a transfer, as the port of Windows checks it before each call: Wine would take anything.
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public sealed class FileCommandTests
{
    [Theory]
    [InlineData(4096u, 8192, 4096, 0x10000, true)]
    [InlineData(4096u, 0, 1 << 20, 0x7000, true)]
    [InlineData(4096u, 8192 + 512, 4096, 0x10000, false)]
    [InlineData(4096u, 8192, 4095, 0x10000, false)]
    [InlineData(4096u, 8192, 4096, 0x10200, false)]
    [InlineData(512u, 512, 1024, 0x200, true)]
    [InlineData(0u, 1, 7, 3, true)]
    public void ATransfer_IsAligned_WhenAllThreeAre(uint align, ulong offset, ulong length, int memory, bool isAligned)
    {
        FileCommand command = default;
        command.File = new FileHandle(-1) { AlignBytes = align };
        (command.OffsetBytes, command.LengthBytes, command.Buffer) = (offset, length, memory);
        Assert.Equal(isAligned, command.IsAligned);
    }
}
