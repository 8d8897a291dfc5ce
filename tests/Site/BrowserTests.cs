// The pages as a browser shows them, on a phone and on a desk, dark and light: no page is wider than its screen, text
// can be read against what is behind it, links can be hit by a finger, and nothing is asked of the network.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading.Tasks;
using FastBackup.Tests.Processes;
using PuppeteerSharp;
using PuppeteerSharp.Media;
using Xunit;

namespace FastBackup.Tests.Site;

public sealed class BrowserTests(BuiltSite site) : IClassFixture<BuiltSite>
{
    /// <summary>
    /// What is wrong on the page that is open, in words; nothing when all is right. Contrast as WCAG 2 counts it:
    /// 4.5 for text. Source: WCAG 2.2, 1.4.3 and 2.5.8.
    /// </summary>
    const string Look = """
        () => {
          const wrong = [];
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth > width)
            wrong.push(`${document.documentElement.scrollWidth} px wide on a screen of ${width}`);
          const channel = one => { one /= 255; return one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4; };
          const parse = text => text.match(/[\d.]+/g).map(Number);
          const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
          const behind = element => {
            for (; element; element = element.parentElement) {
              const color = parse(getComputedStyle(element).backgroundColor);
              if (color.length < 4 || color[3] === 1) return color;
            }
            return [255, 255, 255];
          };
          let texts = 0;
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let node; node = walker.nextNode();) {
            const element = node.parentElement;
            if (!node.data.trim() || !element.getClientRects().length) continue;
            texts++;
            const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
            const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)} of '${node.data.trim().slice(0, 30)}'`);
            const size = parseFloat(getComputedStyle(element).fontSize);
            if (size < 12) wrong.push(`${size} px small: '${node.data.trim().slice(0, 30)}'`);
          }
          if (texts < 20) wrong.push(`${texts} texts`);
          for (const link of document.querySelectorAll('nav a'))
            if (link.getBoundingClientRect().height < 24) wrong.push(`link '${link.textContent}' is low`);
          for (const box of document.querySelectorAll('pre, .wide'))
            if (box.getBoundingClientRect().right > width + 1) wrong.push(`a box ends behind the screen`);
          return { wrong: wrong.slice(0, 5), paper: getComputedStyle(document.body).backgroundColor };
        }
        """;

    [Theory]
    [InlineData(360, 740, true)]
    [InlineData(1280, 800, false)]
    public async Task EveryPage_IsReadable(int width, int height, bool isPhone)
    {
        Requires.Command("chromium");
        await using IBrowser browser = await Puppeteer.LaunchAsync(
            new LaunchOptions
            {
                ExecutablePath = Requires.FindCommand("chromium"),
                Args = ["--no-sandbox", "--disable-dev-shm-usage"],
                Timeout = 120_000,
                ProtocolTimeout = 120_000,
            }
        );
        await using IPage page = await browser.NewPageAsync();
        List<string> asked = [];
        page.Request += (_, request) => asked.Add(request.Request.Url);
        await page.SetViewportAsync(
            new ViewPortOptions
            {
                Width = width,
                Height = height,
                IsMobile = isPhone,
                DeviceScaleFactor = isPhone ? 2 : 1,
            }
        );
        HashSet<string> papers = [];
        foreach (string scheme in new[] { "light", "dark" })
        {
            MediaFeatureValue[] features = [new() { MediaFeature = MediaFeature.PrefersColorScheme, Value = scheme }];
            await page.EmulateMediaFeaturesAsync(features);
            foreach (string name in site.Pages.Keys)
            {
                _ = await page.GoToAsync("file://" + site.Folder + "/" + name, 120_000);
                JsonElement seen = await page.EvaluateFunctionAsync<JsonElement>(Look);
                JsonElement wrong = seen.GetProperty("wrong");
                Assert.True(wrong.GetArrayLength() == 0, $"{name}, {scheme}, {width} px: {wrong}");
                _ = papers.Add(scheme + " " + seen.GetProperty("paper").GetString());
            }
        }
        Assert.Equal(2, papers.Count);
        Assert.All(asked, url => Assert.StartsWith("file://", url));
    }
}
