// A guest that remembers what became of its one hook-mode write.
using FastBackup.Base;
using FastBackup.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

sealed class GuestProbe : IGuestOwner
{
    public GuestProbe(Disk disk, ulong offsetBytes, ulong lengthBytes)
    {
        Grant = disk.BeginWrite(offsetBytes, lengthBytes, this, 7, out Fault fault);
        Assert.True(fault.IsNone);
    }

    public Grant Grant { get; }

    public bool IsAnswered { get; private set; }

    public Fault Fault { get; private set; }

    public bool IsGranted => Grant == Grant.Granted || (IsAnswered && Fault.IsNone);

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.False(IsAnswered);
        Assert.Equal(7ul, userData);
        (IsAnswered, Fault) = (true, fault);
    }
}
