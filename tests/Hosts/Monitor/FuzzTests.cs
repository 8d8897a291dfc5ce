// Bytes at random, and commands with something wrong in them: nothing crashes, every client that stays is answered.
using System;
using System.Diagnostics;
using System.Linq;
using System.Text;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class FuzzTests
{
    const double Seconds = 4;

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
