// Bytes at random, commands with something wrong in them, and commands drawn from the schema by several clients:
// nothing crashes, every client that stays is answered in order, and nothing is left behind.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Hosts.Monitor.Fuzz;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class FuzzTests
{
    const double Seconds = 4;
    const int LinesMin = 100_000;
    const int ClientCount = 6;
    const int BatchesARound = 200;
    const int BatchMax = 60;
    const double CleanUpSeconds = 20;

    [Fact]
    public void RandomBytesAndMutatedCommands_AreSurvived()
    {
        ulong seed = TestSeed.Next();
        Random random = new((int)seed);
        using MonitorScene scene = new();
        string target = scene.AddTarget("a");
        string[] lines = [.. PeerLines.Commands.Concat(PeerLines.Syntax).Select(line => line.Replace("@A", target))];
        Stopwatch time = Stopwatch.StartNew();
        int rounds = 0;
        while (time.Elapsed.TotalSeconds < Seconds)
        {
            using QmpConnection victim = scene.NewClient();
            try
            {
                for (int i = 0; i < 20; i++)
                    victim.Send(i % 4 == 0 ? Noise(random) : Mutate(random, lines[random.Next(lines.Length)]));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // It was dropped, which is an answer as well.
            }
            Assert.NotNull(scene.Client.Run("query-jobs"));
            rounds++;
        }
        Assert.True(rounds > 20, $"{rounds} rounds, seed {seed}");
        Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
        scene.Quit();
    }

    [Fact]
    public void LinesFromTheSchema_ByManyClients_AreAnsweredInOrderAndLeaveNothing()
    {
        ulong seed = TestSeed.Next();
        Random random = new((int)seed);
        using MonitorScene scene = new();
        SchemaPicture schema = new(scene.Client.Run("query-qmp-schema").AsArray());
        string[] files =
        [
            .. Enumerable.Range(0, 3).Select(i => scene.Folder.Hole($"f{i}.img", MonitorScene.DiskBytes)),
        ];
        CommandGrammar grammar = new(random, schema, [.. files, scene.Folder["nowhere"], "/dev/null", "/"]);
        // What streams need is made once, and stays.
        _ = scene.Client.Run("nbd-server-start", ExportTests.Address(scene));
        CleanUp(scene);
        int descriptors = scene.Host.FileCount();
        (int lines, int returns, int events) = (0, 0, 0);
        while (lines < LinesMin)
        {
            List<FuzzClient> clients = [.. Enumerable.Range(0, ClientCount).Select(_ => Connect())];
            for (int i = 0; i < BatchesARound; i++)
            {
                int one = random.Next(clients.Count);
                int count = random.Next(1, BatchMax);
                clients[one].Send(Enumerable.Range(0, count).Select(_ => grammar.Next()).ToArray(), grammar.Sync);
                lines += count;
                if (random.Next(20) != 0)
                {
                    clients[one].ReadAll();
                    continue;
                }
                clients[one].Dispose(); // in the middle of its answers
                clients[one] = Connect();
            }
            foreach (FuzzClient client in clients)
            {
                client.ReadAll();
                (returns, events) = (returns + client.ReturnCount, events + client.EventCount);
                client.Dispose();
            }
            Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
            CleanUp(scene);
            for (int i = 0; i < 200 && scene.Host.FileCount() > descriptors; i++)
                Thread.Sleep(20);
            Assert.True(scene.Host.FileCount() <= descriptors, $"descriptors are left, seed {seed}, line {lines}");
        }
        // Else the grammar would be one of refusals.
        Assert.True(
            returns > lines / 10 && events > lines / 100,
            $"{returns} returns and {events} events of {lines} lines"
        );
        scene.Quit();

        FuzzClient Connect() => new(scene.Host.Socket, random);
    }

    /// <summary>Ends what clients began; nothing may keep it.</summary>
    static void CleanUp(MonitorScene scene)
    {
        _ = scene.Client.Ask(QmpConnection.Command("nbd-server-stop")); // if there is one
        // Those of all jobs: they take paused ones, too.
        CleanUp(scene, "query-jobs", "id", 0, ("job-cancel", "id"), ("job-dismiss", "id"));
        CleanUp(scene, "query-named-block-nodes", "node-name", 1, ("blockdev-del", "node-name"));
        JsonNode disk = scene.Client.Run("query-named-block-nodes")[0]!;
        foreach (JsonNode? bitmap in disk["dirty-bitmaps"]?.AsArray() ?? [])
            _ = scene.Client.Run("block-dirty-bitmap-remove", ("node", "vda"), ("name", bitmap!["name"]));
        scene.Client.Events.Clear();
    }

    /// <summary>Says commands to all that a query names but the first, until it names no more.</summary>
    static void CleanUp(
        MonitorScene scene,
        string query,
        string name,
        int kept,
        params (string Command, string Argument)[] commands
    )
    {
        Stopwatch time = Stopwatch.StartNew();
        while (scene.Client.Run(query).AsArray() is { } items && items.Count > kept)
        {
            List<string> answers = [];
            foreach (JsonNode? one in items.Skip(kept))
            foreach ((string command, string argument) in commands)
                answers.Add(scene.Client.Ask(QmpConnection.Command(command, (argument, one![name]))).ToJsonString());
            Assert.True(time.Elapsed.TotalSeconds < CleanUpSeconds, string.Join('\n', answers) + items.ToJsonString());
            Thread.Sleep(1);
        }
    }

    static byte[] Noise(Random random)
    {
        byte[] bytes = new byte[random.Next(1, 200)];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>A byte changed, left out, or a piece of the line doubled; the end of the line stays.</summary>
    static byte[] Mutate(Random random, string line)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(line);
        int at = random.Next(bytes.Length);
        byte[] changed = random.Next(4) switch
        {
            0 => [.. bytes[..at], (byte)random.Next(256), .. bytes[(at + 1)..]],
            1 => [.. bytes[..at], .. bytes[(at + 1)..]],
            2 => [.. bytes[..at], .. bytes[..at], .. bytes[at..]],
            _ => bytes,
        };
        return [.. changed, (byte)'\n'];
    }
}
