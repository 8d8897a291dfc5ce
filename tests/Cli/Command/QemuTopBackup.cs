// QEMU's own backup of a part of an image into a new image, the measure for ours: of the top layer, or of what a
// persistent bitmap of the image marks.
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Cli.Command;

static class QemuTopBackup
{
    /// <param name="folder">Where the files lie.</param>
    /// <param name="source">An image with one below.</param>
    /// <param name="target">Made here.</param>
    /// <param name="backing">Of the target, qcow2.</param>
    /// <param name="bitmap">Of the source; null: its top layer is copied.</param>
    public static void Run(TempFolder folder, string source, string target, string backing, string? bitmap = null)
    {
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, folder[target]);
        CancellationToken cancel = CancellationToken.None;
        string[] nodes =
        [
            .. Image("s", folder[source], bitmap == null ? "on" : "off"),
            .. Image("t", folder[target], "off"),
        ];
        using QemuStorageDaemon daemon = new(nodes, cancel);
        JsonObject backup = new()
        {
            ["job-id"] = "j",
            ["device"] = "s",
            ["target"] = "t",
            ["sync"] = bitmap == null ? "top" : "incremental",
        };
        if (bitmap != null)
            backup["bitmap"] = bitmap;
        _ = daemon.Qmp.Command("blockdev-backup", backup);
        daemon.Qmp.WaitForJob("j");
        daemon.Quit(cancel);
    }

    static string[] Image(string node, string path, string isReadOnly) =>
        [
            "--blockdev",
            $"driver=file,node-name={node}f,filename={Tool.Option(path)},read-only={isReadOnly}",
            "--blockdev",
            $"driver=qcow2,node-name={node},file={node}f,read-only={isReadOnly}",
        ];
}
