// Images of Ceph as devices of a C host, in a real cluster.
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class RbdImageTests
{
    const int Mebi = 1 << 20;
    const long DiskBytes = 32L * Mebi;

    [Fact]
    public void Image_IsSourceAndTargetOfAHost()
    {
        Requires.Command("rbd");
        using TempFolder folder = new();
        using ObjectStore ceph = new();
        Disks.Sparse(folder["disk.img"], DiskBytes, (0, 5_000), (9 * Mebi, 3_000_000), ((int)DiskBytes - 700, 700));
        _ = ceph.Rbd("import", folder["disk.img"], "rbd/one");
        _ = ceph.Rbd("snap", "create", "rbd/one@then");
        _ = ceph.Rbd("create", "rbd/two", "--size", "32");
        string[] names = [Name("one"), Name("two"), Name("one@then"), Name("nothing")];
        _ = BuiltLibrary.CompileAndRun("tests/Abi/Peers/rbd_images.c", names);
        _ = ceph.Rbd("export", "rbd/two", folder["two.img"]);
        Disks.AssertEqual(folder["disk.img"], folder["two.img"]);

        string Name(string image) => $"rbd:rbd/{image}:conf={ceph.Configuration}";
    }
}
