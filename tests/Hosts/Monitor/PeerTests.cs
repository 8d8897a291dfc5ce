// The same bytes to our monitor and to QEMU's: the same answers, in class, description and id.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class PeerTests : IDisposable
{
    const int DiskBytes = 4 << 20;
    const string TheirFiles = "theirs-";
    const string OurFiles = "ours-";

    readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bytes_AreAnsweredAsByQemu() => Compare(PeerLines.Syntax.Select(Encoding.Latin1.GetBytes));

    [Fact]
    public void Commands_AreAnsweredAsByQemu() => Compare(PeerLines.Commands.Select(Encoding.UTF8.GetBytes));

    [Fact]
    public void NegotiationIsAskedFor_AsByQemu()
    {
        using StorageDaemon daemon = new(_folder["qemu"]);
        using MonitorHost host = Host();
        using QmpConnection theirs = QmpConnection.To(_folder["qemu"], isNegotiating: false);
        using QmpConnection ours = QmpConnection.To(host.Socket, isNegotiating: false);
        foreach (string line in PeerLines.Negotiation)
            Assert.Equal(Shape(theirs.Ask(line)), Shape(ours.Ask(line)));
    }

    [Fact]
    public void Hash_OfTheSameWrites_IsQemus()
    {
        using StorageDaemon daemon = new(_folder["qemu"]);
        using MonitorHost host = Host();
        using QmpConnection theirs = QmpConnection.To(_folder["qemu"]);
        using QmpConnection ours = QmpConnection.To(host.Socket);
        AddTheirDisk(theirs);
        // QEMU's daemon has no guest: the bits come from a backup that writes to a disk with bitmaps.
        _ = _folder.Random("changed.img", DiskBytes);
        theirs.Run("blockdev-add", ("driver", "file"), ("node-name", "src"), ("filename", _folder["changed.img"]));
        foreach (uint granularity in new uint[] { 512, 4096, 65536, 1 << 20, 1 << 30 })
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"g{granularity}");
            foreach (QmpConnection one in new[] { theirs, ours })
            {
                one.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", name), ("granularity", granularity));
                Assert.Equal(Hash(theirs, name), Hash(one, name));
            }
        }
        theirs.Run("blockdev-backup", ("device", "src"), ("target", "vda"), ("sync", "full"), ("job-id", "j"));
        theirs.WaitForEvent("BLOCK_JOB_COMPLETED");
        Assert.Equal(0, host.AskNumber($"write vda 0 {DiskBytes} 1"));
        foreach (uint granularity in new uint[] { 512, 4096, 65536, 1 << 20, 1 << 30 })
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"g{granularity}");
            Assert.Equal(Hash(theirs, name), Hash(ours, name));
            Assert.Equal(Hash(ours, name), host.Ask($"sha256 vda {name}"));
        }
    }

    static string Hash(QmpConnection connection, string name) =>
        (string)connection.Run("x-debug-block-dirty-bitmap-sha256", ("node", "vda"), ("name", name))["sha256"]!;

    MonitorHost Host() => new(_folder["ours"], "vda=" + _folder.Random("ours.img", DiskBytes));

    void AddTheirDisk(QmpConnection theirs) =>
        theirs.Run(
            "blockdev-add",
            ("driver", "file"),
            ("node-name", "vda"),
            ("filename", _folder.Hole("theirs.img", DiskBytes))
        );

    void Compare(IEnumerable<byte[]> lines)
    {
        using StorageDaemon daemon = new(_folder["qemu"]);
        using MonitorHost host = Host();
        foreach (string owner in new[] { TheirFiles, OurFiles })
        foreach (string name in new[] { "a.img", "b.img" })
            _ = _folder.Hole(owner + name, DiskBytes);
        using QmpConnection theirs = QmpConnection.To(_folder["qemu"]);
        using QmpConnection ours = QmpConnection.To(host.Socket);
        AddTheirDisk(theirs);
        List<string> differences = [];
        int count = 0;
        foreach (byte[] line in lines)
        {
            count++;
            TestContext.Current.TestOutputHelper!.WriteLine(Encoding.Latin1.GetString(line));
            string expected = Answers(theirs, Fill(line, TheirFiles), count).Replace(TheirFiles, "");
            string actual = Answers(ours, Fill(line, OurFiles), count).Replace(OurFiles, "");
            if (expected != actual && !PeerLines.IsDifferentOnPurpose(expected, actual))
                differences.Add($"{Encoding.Latin1.GetString(line)}\n  QEMU {expected}\n  ours {actual}");
        }
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        Assert.True(count > 60, $"{count} lines");
    }

    /// <summary>Each has its own files: an image is opened for writing by one program at a time.</summary>
    byte[] Fill(byte[] line, string owner)
    {
        string text = Encoding.Latin1.GetString(line);
        text = text.Replace("@A", _folder[owner + "a.img"])
            .Replace("@B", _folder[owner + "b.img"])
            .Replace("@S", _folder[owner + "nbd"]);
        return Encoding.Latin1.GetBytes(text);
    }

    /// <summary>All answers up to that of a command that is sent behind.</summary>
    static string Answers(QmpConnection connection, byte[] line, int number)
    {
        string last = string.Create(CultureInfo.InvariantCulture, $"last-{number}");
        connection.Send(line);
        connection.Send(
            $$"""

            {"execute":"query-version","id":"{{last}}"}

            """
        );
        List<string> answers = [];
        while (connection.ReadAnswer() is { } answer)
        {
            if (answer["id"] is JsonValue id && id.TryGetValue(out string? text) && text == last)
                return string.Join(" | ", answers);
            answers.Add(Shape(answer));
        }
        throw new InvalidOperationException("the connection was closed");
    }

    /// <summary>What must be the same: class, description, id, and that something is returned.</summary>
    static string Shape(JsonNode answer)
    {
        string id = answer.AsObject().ContainsKey("id") ? " id " + Normal(answer["id"]) : "";
        return answer["error"] is { } error ? $"{error["class"]}: {error["desc"]}{id}" : "return" + id;
    }

    static string Normal(JsonNode? value) =>
        value switch
        {
            null => "null",
            JsonArray items => $"[{string.Join(",", items.Select(Normal))}]",
            JsonObject members =>
                $"{{{string.Join(",", members.OrderBy(m => m.Key).Select(m => m.Key + Normal(m.Value)))}}}",
            _ when value.GetValueKind() == System.Text.Json.JsonValueKind.Number => double.Parse(
                    value.ToJsonString(),
                    CultureInfo.InvariantCulture
                )
                .ToString("R", CultureInfo.InvariantCulture),
            _ => value.ToJsonString(),
        };
}
