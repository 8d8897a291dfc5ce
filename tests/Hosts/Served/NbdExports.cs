namespace FastBackup.Tests.Hosts.Served;

/// <summary>The names that every host gives its exports.</summary>
static class NbdExports
{
    public const string Disk = "disk";
    public const string Snapshot = "snapshot";
}
